/**
 * Rows read as sentences: who, did what, to what. One table says for each type and action who acts and on what;
 * the verb itself is the message `verb.TYPE.ACTION`. Parts carry raw text: what draws them neutralises it.
 */
import { ruleName } from '../dlp/hits-model.ts';
import type { DecisionJson, EventJson, GapJson, ProcessRefJson } from '../../../agent/api/contract.ts';
import { t, tn, tryMessage } from '../i18n/i18n.ts';
import { bytes, count } from '../ui/format.ts';
import { capabilityChange, namespaces, protection } from './kernel-values.ts';

export interface Part {
  kind: 'actor' | 'verb' | 'object' | 'link' | 'note';
  text: string;
  /** What to ask for to find events with the same actor or object. */
  ask?: Ask;
}

/** A field of the query language and a value of it. */
export interface Ask {
  field: string;
  value: string;
}

type Pick = (event: EventJson) => string | undefined;

interface Row {
  /** Who acts; the event's own process unless said otherwise. */
  actor?: 'parent';
  object?: Pick;
  /** Joining word and second object: renamed A *to* B. */
  link?: readonly [word: 'say.to' | 'say.from' | 'say.of', pick: Pick];
  note?: Pick;
}

/** An argument as a shell would need it, so that boundaries between arguments show. */
export function quoteArg(arg: string): string {
  return /^[\w@%+=:,./~^-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", String.raw`'\''`)}'`;
}

/** The command line for people: arguments stay apart by quoting. `limit` bounds the work on huge ones. */
export function commandLine(argv: readonly string[], limit = 4096): string {
  let line = '';
  for (const arg of argv) {
    line += (line === '' ? '' : ' ') + quoteArg(arg.length > limit ? arg.slice(0, limit) : arg);
    if (line.length > limit) break;
  }
  return line;
}

function processName(ref: ProcessRefJson | undefined): string {
  if (!ref) return t('common.unknown');
  return ref.name || ref.executable || t('say.someone', { pid: ref.pid });
}

function endpoint(ip: string | undefined, port: number | undefined): string | undefined {
  if (ip === undefined) return undefined;
  const host = ip.includes(':') ? `[${ip}]` : ip;
  return port === undefined || port === 0 ? ip : `${host}:${port}`;
}

const command: Pick = (event) => {
  const argv = event.process?.argv;
  if (argv && argv.length > 0) return commandLine(argv, 1024);
  return event.process?.executable ?? event.process?.name;
};
const filePath: Pick = (event) => event.file?.path;
const oldPath: Pick = (event) => event.file?.oldPath;
const target: Pick = (event) => event.target && `${processName(event.target)} (${event.target.pid})`;
/** The other end: for inbound connections that is the source. */
const remote: Pick = (event) => {
  const net = event.network;
  if (!net) return undefined;
  return net.direction === 'inbound' || net.dstIp === undefined
    ? endpoint(net.srcIp, net.srcPort)
    : endpoint(net.dstIp, net.dstPort);
};
const local: Pick = (event) => endpoint(event.network?.srcIp, event.network?.srcPort) ?? remote(event);
const protocol: Pick = (event) => event.network?.protocol;
const transferred: Pick = (event) => {
  const net = event.network;
  if (!net || (Number(net.bytesSent ?? 0) === 0 && Number(net.bytesReceived ?? 0) === 0)) return undefined;
  return `↑ ${bytes(net.bytesSent ?? 0)} ↓ ${bytes(net.bytesReceived ?? 0)}`;
};
const dnsName: Pick = (event) => event.dns?.query;
const size: Pick = (event) => (event.file?.bytes === undefined ? undefined : bytes(event.file.bytes));
const detail =
  (...names: string[]): Pick =>
  (event) => {
    const found = names
      .map((name) => event.details?.[name])
      .filter((value) => value !== undefined && value !== '');
    return found.length > 0 ? found.join(' ') : undefined;
  };
const fileOrDetail =
  (name: string): Pick =>
  (event) =>
    event.file?.path ?? event.details?.[name];
const mode: Pick = (event) =>
  event.file?.mode === undefined ? undefined : (event.file.mode & 0o7777).toString(8);
const ending: Pick = (event) => {
  const signal = event.process?.exitSignal;
  if (signal !== undefined && signal !== 0) return t('say.signal', { signal });
  const code = event.process?.exitCode;
  return code === undefined || code === 0 ? undefined : t('say.with', { code });
};
/** "rwx, 537 MB" */
const mapping: Pick = ({ details }) => {
  if (details?.protection === undefined) return undefined;
  const { length } = details;
  const size = length === undefined ? '' : `, ${bytes(length)}`;
  return `${protection(details.protection)}${size}`;
};
const childPid: Pick = ({ process }) => process && t('say.someone', { pid: process.pid });
const capabilities: Pick = ({ details }) => capabilityChange(details?.oldEffective, details?.effective);
const namespaceList =
  (name: string): Pick =>
  ({ details }) => {
    const text = details?.[name];
    return text === undefined ? undefined : namespaces(text);
  };
const unixAddress: Pick = (event) =>
  event.file?.path ?? (event.details?.abstractName && `@${event.details.abstractName}`);
const vsock: Pick = ({ details }) =>
  details?.contextId === undefined ? undefined : `vsock ${details.contextId}:${details.port ?? '?'}`;
const idChange: Pick = (event) => {
  const before = event.details?.oldEffectiveId;
  const after = event.details?.effectiveId;
  return before === undefined || after === undefined ? undefined : `${before} → ${after}`;
};

/** The query that each object stands for. */
const ASK = new Map<Pick, (event: EventJson) => Ask | undefined>([
  [command, ({ process }) => ask('image', process?.executable)],
  [filePath, ({ file }) => ask('file', file?.path)],
  [oldPath, ({ file }) => ask('file.old', file?.oldPath)],
  [unixAddress, ({ file }) => ask('file', file?.path)],
  [childPid, ({ process }) => ask('pid', process?.pid)],
  [target, (event) => ask('target.pid', event.target?.pid)],
  [
    remote,
    ({ network }) =>
      network?.direction === 'inbound' ? ask('src.ip', network.srcIp) : ask('ip', network?.dstIp),
  ],
  [dnsName, ({ dns }) => ask('dns', dns?.query)],
]);

function ask(field: string, value: string | number | undefined): Ask | undefined {
  return value === undefined ? undefined : { field, value: String(value) };
}

/** "customers ×12" */
function dlpFound({ dlp }: EventJson): string | undefined {
  if (dlp === undefined || dlp.matches.length === 0) return dlp?.reason;
  const counts = new Map<string, number>();
  for (const match of dlp.matches)
    counts.set(ruleName(match), (counts.get(ruleName(match)) ?? 0) + Number(match.count));
  return [...counts].map(([rule, n]) => `${rule} ×${count(n)}`).join(', ');
}

const ROWS: Readonly<Record<string, Row>> = {
  'dlp.read': { object: filePath, note: dlpFound },
  'dlp.match': { object: filePath, note: dlpFound },
  'dlp.unscannable': { object: filePath, note: dlpFound },
  'dlp.quarantine': { object: filePath, note: dlpFound },
  'process.exec': { actor: 'parent', object: command },
  'process.fork': { actor: 'parent', object: childPid },
  'process.exit': { note: ending },
  'process.snapshot': { note: command },
  'process.ptrace': { object: target, note: detail('request') },
  'process.vm_write': { object: target },
  'process.kill': { object: target, note: detail('signal') },
  'process.setuid': { note: idChange },
  'process.setgid': { note: idChange },
  'process.capset': { note: capabilities },
  'process.unshare': { note: namespaceList('flags') },
  'process.setns': { note: namespaceList('namespaceType') },
  'process.io_uring': { object: filePath, note: detail('operation') },
  'process.chroot': { object: filePath },
  'process.pivot_root': { object: filePath },
  'process.syscall32': { object: detail('call') },
  'process.hash': { note: (event) => event.process?.hashes?.sha256 },
  'file.open': { object: filePath },
  'file.create': { object: filePath },
  'file.write': { object: filePath, note: size },
  'file.rename': { object: oldPath, link: ['say.to', filePath] },
  'file.unlink': { object: filePath },
  'file.link': { object: filePath, link: ['say.to', oldPath] },
  'file.symlink': { object: filePath, link: ['say.to', oldPath] },
  'file.mkdir': { object: filePath },
  'file.rmdir': { object: filePath },
  'file.chmod': { object: filePath, link: ['say.to', mode] },
  'file.chown': { object: filePath },
  'file.truncate': { object: filePath, link: ['say.to', size] },
  'file.utime': { object: filePath },
  'file.setxattr': { object: filePath, note: oldPath },
  'file.mknod': { object: filePath },
  'file.deny_open': { object: filePath, note: detail('outcome') },
  'process.deny_exec': { object: filePath, note: detail('outcome') },
  'file.mount': { object: detail('source'), link: ['say.to', filePath], note: detail('fileSystem') },
  'file.umount': { object: filePath },
  'network.connect': { object: remote, note: protocol },
  'network.accept': { object: remote, note: protocol },
  'network.listen': { object: local, note: protocol },
  'network.close': { object: remote, note: transferred },
  'network.send': { object: remote, note: protocol },
  'network.deny_connect': { object: remote, note: detail('outcome') },
  'network.unix_connect': { object: unixAddress },
  'network.vsock_connect': { object: vsock },
  'network.socket': { object: detail('family', 'socketType') },
  'dns.query': { object: dnsName, note: (event) => event.dns?.recordType },
  'memory.memfd_create': { object: detail('name') },
  'memory.mmap_wx': { object: filePath, note: mapping },
  'memory.mprotect_wx': { note: mapping },
  'memory.mmap_exec': { object: filePath, note: mapping },
  'memory.mprotect_exec': { object: filePath, note: mapping },
  'module.bpf': { object: detail('command'), note: detail('name') },
  'module.init_module': { note: detail('parameters') },
  'module.finit_module': { object: fileOrDetail('name'), note: detail('parameters') },
  'module.delete_module': { object: detail('name') },
  'module.kexec': {},
};

/** "1,204 records lost" */
export function gapCount(gap: GapJson): string {
  if (gap.count === undefined) return t('histogram.gapUnknown');
  return tn('histogram.gapCount', Number(gap.count));
}

export function gapCause(gap: GapJson): string {
  return tryMessage(`gap.cause.${gap.cause}`) ?? gap.cause.replaceAll('_', ' ');
}

function metricText(metrics: Record<string, number>): string {
  return Object.entries(metrics)
    .slice(0, 6)
    .map(([name, value]) => `${name} ${count(Math.round(value * 100) / 100)}`)
    .join(', ');
}

/** What a policy decided, what came of it, and how. */
function decided({ policyTitle, policyId, action, wouldBe, effect }: DecisionJson): Part[] {
  const outcome = wouldBe ? 'wouldBe' : effect.state;
  const how = tryMessage(`policies.guarantee.${effect.guarantee}`) ?? effect.guarantee;
  const note = wouldBe ? t('say.nothingDone') : (effect.error ?? (effect.state === 'applied' ? how : ''));
  return [
    { kind: 'actor', text: policyTitle || policyId, ask: ask('policy', policyId) },
    { kind: 'verb', text: tryMessage(`verb.decision.${outcome}`) ?? readable(outcome) },
    { kind: 'object', text: tryMessage(`policies.does.${action}`) ?? readable(action) },
    ...(note === '' ? [] : [{ kind: 'note' as const, text: note }]),
  ];
}

/** A file that somebody had looked at: nobody put anything there. */
function looked(event: EventJson): Part[] | undefined {
  const path = filePath(event);
  if (path === undefined || (event.action !== 'match' && event.action !== 'unscannable')) return undefined;
  const note = dlpFound(event) ?? '';
  return [
    { kind: 'actor', text: t('say.agent') },
    { kind: 'verb', text: t(event.action === 'match' ? 'verb.dlp.found' : 'verb.dlp.passed') },
    { kind: 'object', text: path, ask: ask('file', path) },
    ...(note === '' ? [] : [{ kind: 'note' as const, text: note }]),
  ];
}

/** Events that no process did. */
function impersonal(event: EventJson): Part[] | undefined {
  if (event.decision) return decided(event.decision);
  if (event.gap) {
    return [
      { kind: 'actor', text: t('say.sensor') },
      { kind: 'verb', text: t('verb.gap') },
      { kind: 'object', text: gapCount(event.gap) },
      { kind: 'note', text: gapCause(event.gap) },
    ];
  }
  if (event.metrics && event.type === 'metric') {
    return [
      { kind: 'actor', text: event.process?.name ?? t('say.agent') },
      { kind: 'verb', text: t('verb.metric') },
      { kind: 'object', text: metricText(event.metrics) },
    ];
  }
  if (event.process) return undefined;
  const found = event.dlp && looked(event);
  if (found) return found;
  const parts: Part[] = [
    { kind: 'actor', text: t('say.agent') },
    { kind: 'verb', text: tryMessage(`verb.${event.type}.${event.action}`) ?? readable(event.action) },
  ];
  const what = event.message ?? event.file?.path ?? remote(event);
  if (what !== undefined) parts.push({ kind: 'object', text: what });
  return parts;
}

/** snake_case from a newer agent, as words. */
function readable(action: string): string {
  return action.replaceAll('_', ' ');
}

/** The sentence of an event, in parts. Unknown types and actions still read as "who, action, what". */
export function describe(event: EventJson): Part[] {
  const without = impersonal(event);
  if (without) return without;
  const key = `${event.type}.${event.action}`;
  const row = ROWS[key] ?? {
    object: (e: EventJson) => filePath(e) ?? remote(e) ?? target(e),
    note: (e: EventJson) => e.message,
  };
  const actor = row.actor === 'parent' ? (event.parent ?? event.process) : event.process;
  const parts: Part[] = [
    {
      kind: 'actor',
      text: processName(actor),
      ask: ask(row.actor === 'parent' && event.parent ? 'parent.name' : 'name', actor?.name),
    },
    { kind: 'verb', text: tryMessage(`verb.${key}`) ?? readable(event.action) },
  ];
  const object = row.object?.(event);
  if (row.object && object !== undefined) {
    parts.push({ kind: 'object', text: object, ask: ASK.get(row.object)?.(event) });
  }
  const second = row.link?.[1](event);
  if (row.link && second !== undefined) {
    parts.push(
      { kind: 'link', text: t(row.link[0]) },
      { kind: 'object', text: second, ask: ASK.get(row.link[1])?.(event) },
    );
  }
  const note = row.note?.(event);
  if (note !== undefined && note !== '') parts.push({ kind: 'note', text: note });
  // What was only attempted must not read as done.
  const error = event.details?.error;
  if (error !== undefined) parts.push({ kind: 'note', text: t('say.failed', { error }) });
  return parts;
}

/** The sentence as one string, for labels, titles and copying. */
export function sentence(event: EventJson): string {
  return describe(event)
    .map((part) => (part.kind === 'note' ? `(${part.text})` : part.text))
    .join(' ');
}

/** How something was stopped, in words; undefined when nothing was. */
export function verdictOf(event: EventJson): string | undefined {
  const { decision } = event;
  if (decision) {
    const stopped = decision.effect.state === 'applied' && decision.action !== 'alert' && !decision.wouldBe;
    if (!stopped) return undefined;
    return tryMessage(`policies.guarantee.${decision.effect.guarantee}`) ?? decision.effect.guarantee;
  }
  const raw = event.network?.verdict ?? event.details?.verdict ?? event.details?.guarantee;
  if (raw === undefined || raw === 'allowed') return undefined;
  return tryMessage(`verdict.${raw}`) ?? readable(raw);
}
