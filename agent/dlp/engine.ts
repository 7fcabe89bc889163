/** Scans files for everything that was opened: indexes, patterns, documents. Content stays in native code. */
import { applyIndexRules, type IndexRule, MAX_JUDGED } from './index-rules.ts';
import { MatchList } from './match-list.ts';
import type { DlpSource, NativeDlpHit, NativeDlpResult, NativeDlpScan } from '../../native-addon/dlp.ts';
import { loadDlp } from '../../native-addon/index.ts';
import { SentinelError } from '../errors.ts';
import type { DlpEngine, DlpMatch, FileVerdict, IndexInfo, ScanOptions, UnscannableCode } from './types.ts';

/** A native source and how its hits are told. */
export interface NamedSource {
  readonly source: DlpSource;
  /** Undefined: this hit does not count. */
  toMatch(hit: NativeDlpHit): DlpMatch | undefined;
  info?(): IndexInfo;
  /** What findings are called. */
  names?: { index: string; rules: readonly string[] };
}

/** Reads the text out of a container, in a process of its own. */
export type Extract = (
  fd: number,
  name: string,
  onText: (member: string, chunk: Buffer, last: boolean) => Promise<void>,
  signal: AbortSignal | undefined,
  deadlineMs?: number,
) => Promise<{
  outcome: 'ok' | 'not_a_container' | UnscannableCode;
  reason?: string;
  members: number;
  bytes: number;
}>;

const DEFAULT_MAX_MATCHES = 1000;

const REASONS: Readonly<Record<Exclude<NativeDlpResult['outcome'], 'ok'>, [UnscannableCode, string]>> = {
  aborted: ['unreadable', 'the scan was cancelled before its end'],
  time: ['time', 'the scan took longer than it may'],
  too_large: ['too_large', 'the file is larger than what may be scanned'],
  changed: ['changed', 'the file changed while it was read'],
  unreadable: ['unreadable', 'the file could not be read'],
};

/** What was found, wherever it was. */
function identityOf({ index, rule, kind, type, rowRef }: DlpMatch): string {
  return JSON.stringify([index, rule, kind, type, rowRef]);
}

/** What one or several streams of a file came to. */
class Findings {
  bytes = 0;
  reasonCode: UnscannableCode | undefined;
  reason: string | undefined;
  #list: MatchList;
  readonly #sources: readonly NamedSource[];

  constructor(sources: readonly NamedSource[], maxMatches: number) {
    this.#sources = sources;
    this.#list = new MatchList(maxMatches);
  }

  fail(code: UnscannableCode, reason: string): void {
    this.reasonCode ??= code;
    this.reason ??= reason;
  }

  /** What is in `known` was told before. */
  add(result: NativeDlpResult, member?: string, known?: ReadonlySet<string>): void {
    this.bytes += result.bytes;
    const list = this.#list;
    // Of a container's raw bytes it is not known what of the rest was told before.
    list.unlisted = known ? Math.max(list.unlisted, result.unlisted) : list.unlisted + result.unlisted;
    for (const hit of result.hits) {
      const match = this.#sources[hit.source]?.toMatch(hit);
      if (!match || known?.has(identityOf(match))) continue;
      if (member !== undefined && member !== '') match.member = member;
      list.add(match);
    }
    if (result.outcome === 'ok') return;
    const [code, sentence] = REASONS[result.outcome];
    this.fail(code, result.detail ? `${sentence}: ${result.detail}` : sentence);
  }

  /** Leaves out what was found again in the raw bytes of a container after it was found inside. */
  addRaw(result: NativeDlpResult): void {
    const { matches } = this.#list;
    this.add(result, undefined, matches.length > 0 ? new Set(matches.map(identityOf)) : undefined);
  }

  /** Leaves what the rules let through. */
  judge(rules: readonly IndexRule[], maxMatches: number): void {
    const { matches, unlisted } = this.#list;
    const kept = applyIndexRules(rules, matches);
    if (kept.length === 0 && unlisted > 0)
      this.fail(
        'unsupported',
        'it has more findings than are judged by rules, and none of these satisfies one',
      );
    this.#list = new MatchList(maxMatches);
    if (kept.length === matches.length) this.#list.unlisted = unlisted;
    for (const match of kept) this.#list.add(match);
  }

  verdict(path: string, startedMs: number, members: number | undefined): FileVerdict {
    const { matches, unlisted } = this.#list;
    const found = matches.length > 0;
    return {
      path,
      verdict: found ? 'match' : this.reasonCode ? 'unscannable' : 'clean',
      ...(this.reasonCode && { reasonCode: this.reasonCode, reason: this.reason ?? '' }),
      bytes: this.bytes,
      ...(members !== undefined && { members }),
      tookMs: Math.round((performance.now() - startedMs) * 1000) / 1000,
      matches,
      ...(unlisted > 0 && { unlisted }),
    };
  }
}

/**
 * An engine over `sources`.
 * @throws SentinelError when the native scanner is not there.
 */
export function createEngine(
  sources: readonly NamedSource[],
  extract?: Extract,
  rules: readonly IndexRule[] = [],
): DlpEngine {
  const native = loadDlp();
  if (!native.ok)
    throw new SentinelError(
      'no_scanner',
      `the DLP scanner is not available: ${native.reason}`,
      'run npm run build',
    );
  const scanner = new native.addon.DlpScanner(sources.map(({ source }) => source));

  async function scanFd(fd: number, path: string, options: ScanOptions = {}): Promise<FileVerdict> {
    const startedMs = performance.now();
    const maxMatches = options.maxMatches ?? DEFAULT_MAX_MATCHES;
    // What rules leave of it is not known before all is there.
    const listed = rules.length === 0 ? maxMatches : Math.max(maxMatches, MAX_JUDGED);
    const findings = new Findings(sources, listed);
    const abort = new Int32Array(new SharedArrayBuffer(4));
    const onAbort = (): void => void Atomics.store(abort, 0, 1);
    if (options.signal?.aborted) onAbort();
    options.signal?.addEventListener('abort', onAbort, { once: true });
    const limits: NativeDlpScan = {
      maxBytes: options.maxBytes ?? 0,
      deadlineMs: options.deadlineMs ?? 0,
      maxHits: listed,
      abort,
      background: options.background === true,
    };
    try {
      let members: number | undefined;
      if (extract && options.extract !== false) {
        // One for all members, one after the other: a mailbox has a hundred thousand.
        const stream = scanner.stream(limits);
        let current: string | undefined;
        const onText = async (member: string, chunk: Buffer, last: boolean): Promise<void> => {
          if (current !== undefined && member !== current) findings.add(await stream.finish(), current);
          current = member;
          if (chunk.length > 0) await stream.feed(chunk);
          if (!last) return;
          findings.add(await stream.finish(), member);
          current = undefined;
        };
        const told = await extract(fd, path, onText, options.signal, options.deadlineMs);
        if (current !== undefined) findings.add(await stream.finish(), current);
        if (told.outcome !== 'not_a_container') {
          members = told.members;
          if (told.outcome !== 'ok') findings.fail(told.outcome, told.reason ?? told.outcome);
        }
      }
      // Whatever it is, its bytes are looked at too: what readers of the format skip is there all the same.
      findings.addRaw(await scanner.scanFd(fd, limits));
      if (rules.length > 0) findings.judge(rules, maxMatches);
      return findings.verdict(path, startedMs, members);
    } finally {
      options.signal?.removeEventListener('abort', onAbort);
    }
  }

  return {
    info: () => sources.flatMap((source) => source.info?.() ?? []),
    names: () => namesOf(sources, rules),
    scanFd,
    close: () => undefined,
  };
}

/** Names of indexes and rules that findings can have. */
function namesOf(
  sources: readonly NamedSource[],
  rules: readonly IndexRule[],
): { indexes: string[]; rules: string[] } {
  const indexes: string[] = [];
  const found = rules.map(({ id }) => id);
  for (const source of sources) {
    const { names } = source;
    const index = source.info?.();
    if (index !== undefined) indexes.push(index.name);
    if (names !== undefined) indexes.push(names.index);
    found.push(...(names?.rules ?? []));
    if (index === undefined || rules.some((rule) => rule.index === index.name)) continue;
    const format = index.format ?? 'rows';
    if (format === 'rows') found.push(...index.fields.map(({ column }) => column));
    else found.push(format === 'files' ? 'file' : 'document');
  }
  return { indexes, rules: found };
}
