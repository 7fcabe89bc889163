import {
  mkdirSync,
  mkdtempSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { OPTIONS, type ConfigValues } from './config-options.ts';
import { dlpHealth } from './dlp-health.ts';
import { DlpScans } from './dlp-scans.ts';
import { DlpService } from './dlp-service.ts';
import { filesBelow, foldersLike } from './dlp/files-below.ts';
import type { DlpEngine, FileVerdict } from './dlp/types.ts';
import type { SentinelEvent } from './event.ts';
import { eventToJson } from './event-json.ts';
import type { PipelineListener } from './pipeline.ts';

const SECRET = 'ES9121000418450200051332';
const NOW = 1_800_000_000_000_000_000n;

let home: string;
let outbox: string;
let service: DlpService;
let events: SentinelEvent[];
let listener: PipelineListener | undefined;
let opened: string[][];
let scans: number;
let gate: Promise<void>;

/** Finds SECRET, and calls files that begin with LOCKED encrypted. */
const engine: DlpEngine = {
  info: () => [],
  names: () => ({ indexes: [], rules: [] }),
  close: () => {},
  scanFd: async (fd, path): Promise<FileVerdict> => {
    scans += 1;
    await gate;
    const buffer = Buffer.alloc(4096);
    const text = buffer.toString('utf8', 0, readSync(fd, buffer, 0, 4096, 0));
    const common = { path, bytes: text.length, tookMs: 1, matches: [] };
    if (text.startsWith('LOCKED'))
      return { ...common, verdict: 'unscannable', reasonCode: 'encrypted', reason: 'it is encrypted' };
    const offset = text.indexOf(SECRET);
    if (offset < 0) return { ...common, verdict: 'clean' };
    const match = { index: 'customers', rule: 'customers', kind: 'row', type: 'iban' } as const;
    return {
      ...common,
      verdict: 'match',
      matches: [{ ...match, count: 3, offset, length: SECRET.length, rowRef: '7', confidence: 0.99 }],
    };
  },
};

function settings(more: Partial<ConfigValues> = {}): ConfigValues {
  const defaults = Object.fromEntries(
    Object.entries(OPTIONS).map(([name, option]) => [name, option.default]),
  );
  return { ...(defaults as unknown as ConfigValues), 'dlp.watch': [outbox], ...more };
}

async function start(more: Partial<ConfigValues> = {}): Promise<void> {
  service = new DlpService({
    dataDir: home,
    settings: settings(more),
    open: async (files) => {
      opened.push(files.map((file) => file.slice(file.lastIndexOf('/') + 1)));
      return { engine, problems: [] };
    },
    submit: (event) => events.push(event),
    listen: (given) => (listener = given),
    nowNs: () => NOW,
    onProblem: () => {},
  });
  await service.tick();
}

function addIndex(name = 'a.sdlp', content = 'x'): void {
  mkdirSync(join(home, 'dlp', 'indexes'), { recursive: true });
  writeFileSync(join(home, 'dlp', 'indexes', `.${name}.tmp`), content);
  renameSync(join(home, 'dlp', 'indexes', `.${name}.tmp`), join(home, 'dlp', 'indexes', name));
}

function write(path: string, content: string): void {
  writeFileSync(path, content);
  tell(path, 'write');
}

/** What the sensor would say. */
function tell(path: string, action: string, argv = ['/usr/bin/cp', 'a', 'b'], pid = 9): void {
  const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
  const event: SentinelEvent = {
    eventId: 42,
    type: 'file',
    action,
    lane: 'observability',
    tsNs: NOW - 1000n,
    severity: 'info',
    process: { pid, startNs: 1n, name: 'cp', executable: '/usr/bin/cp', argv, cwd: home },
    parent: { pid: 8, startNs: 1n, name: 'bash' },
    ancestry: ['8-1', '1-1'],
    file: { path, op: action },
  };
  if (stat) {
    const { ino, mtimeNs, ctimeNs, size } = stat;
    event.file = { path, op: action, inode: ino.toString() };
    event.file.identity = { dev: 0, inode: ino, mtimeNs, ctimeNs, size: Number(size) };
  }
  if (listener?.wants('file', action)) listener.onEvent(event);
}

async function until(condition: () => boolean): Promise<void> {
  await vi.waitFor(() => expect(condition()).toBe(true), { timeout: 10_000, interval: 5 });
}

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'sentinel-dlp-'));
  outbox = join(home, '..', `${home.slice(home.lastIndexOf('/') + 1)}-outbox`);
  mkdirSync(outbox);
  events = [];
  opened = [];
  scans = 0;
  listener = undefined;
  gate = Promise.resolve();
});
afterEach(async () => {
  await service.close();
  rmSync(home, { recursive: true });
  rmSync(outbox, { recursive: true });
});

describe('data loss prevention', () => {
  it('listens to nothing and opens nothing while there is no index', async () => {
    await start();
    expect(listener).toBeUndefined();
    expect(opened).toEqual([]);
    addIndex();
    await service.tick();
    expect(opened).toEqual([['a.sdlp']]);
    expect(listener).toBeDefined();
    rmSync(join(home, 'dlp', 'indexes', 'a.sdlp'));
    await service.tick();
    expect(listener).toBeUndefined();
  });

  it('says who put protected data where, and never the data', async () => {
    addIndex();
    await start();
    write(join(outbox, 'a.csv'), `name;iban\nAna;${SECRET}\n`);
    await until(() => events.length === 1);
    const [event] = events as [SentinelEvent];
    expect(event).toMatchObject({
      type: 'dlp',
      action: 'match',
      lane: 'security',
      process: { pid: 9, name: 'cp' },
      parent: { pid: 8 },
      ancestry: ['8-1', '1-1'],
      file: { path: join(outbox, 'a.csv') },
      dlp: {
        verdict: 'match',
        destination: 'watched',
        trigger: 'close_write',
        ofEventId: 42,
        matchesTotal: 1,
      },
    });
    expect(event.dlp?.matches).toMatchObject([
      { rule: 'customers', type: 'iban', count: 3, offset: 14, length: 24, rowRef: '7', confidence: 0.99 },
    ]);
    expect(JSON.stringify(eventToJson(event))).not.toContain(SECRET);
  });

  it('says nothing of clean files, and looks once at the same content', async () => {
    addIndex();
    await start();
    const path = join(outbox, 'a.txt');
    write(path, 'nothing here');
    await until(() => service.totals.clean === 1);
    tell(path, 'write');
    await until(() => service.totals.clean === 2);
    expect(scans).toBe(1);
    expect(service.totals.cached).toBe(1);
    expect(events).toEqual([]);
  });

  it('looks again at everything once another index is in force', async () => {
    addIndex();
    await start();
    const path = join(outbox, 'a.txt');
    write(path, 'nothing here');
    await until(() => service.totals.clean === 1);
    addIndex('a.sdlp', 'another');
    await service.tick();
    expect(opened).toHaveLength(2);
    tell(path, 'write');
    await until(() => service.totals.clean === 2);
    expect(scans).toBe(2);
  });

  it('says of a file of rules or an index from the settings that it is not there, and takes it once it is', async () => {
    const rules = join(home, 'payments.yml');
    const index = join(home, 'elsewhere.sdlp');
    await start({ 'dlp.rules': [rules], 'dlp.indexes': [index] });
    expect(service.indexes.problems).toMatchObject([
      { what: `${index} of dlp.indexes is not there` },
      { what: `${rules} of dlp.rules is not there` },
    ]);
    const parts = { service, settings: settings() };
    expect(dlpHealth(parts)).toMatchObject({ state: 'failed', indexes: 0, ruleFiles: 0 });
    writeFileSync(rules, 'x');
    writeFileSync(index, 'x');
    await service.tick();
    expect(service.indexes.problems).toEqual([]);
    expect(dlpHealth(parts)).toMatchObject({ state: 'watching', ruleFiles: 1, problems: [] });
    write(join(outbox, 'a.csv'), SECRET);
    await until(() => events.length === 1);
    expect(dlpHealth(parts)).toMatchObject({ bytes: SECRET.length, tookMs: 1, lastLookNs: String(NOW) });
  });

  it('says what it could not look at, with the reason', async () => {
    addIndex();
    await start({ 'dlp.maxBytes': 64 * 1024 });
    write(join(outbox, 'a.zip'), 'LOCKED');
    await until(() => events.length === 1);
    expect(events[0]).toMatchObject({ action: 'unscannable', dlp: { reasonCode: 'encrypted' } });
    write(join(outbox, 'big'), 'x'.repeat(70_000));
    await until(() => events.length === 2);
    expect(events[1]).toMatchObject({ action: 'unscannable', dlp: { reasonCode: 'too_large' } });
  });

  it('looks at the file that was written, not at what took its name', async () => {
    addIndex();
    await start();
    const path = join(outbox, 'a.csv');
    writeFileSync(path, 'harmless');
    tell(path, 'write');
    renameSync(path, join(outbox, 'moved'));
    symlinkSync('/etc/passwd', path);
    await until(() => service.totals.looked + service.totals.gone + service.totals.unscannable >= 1);
    expect(scans).toBe(0);
  });

  it('counts what had to be left out, and states it on record', async () => {
    addIndex();
    await start({ 'dlp.queueFiles': 16 });
    let open = (): void => {};
    gate = new Promise((resolve) => (open = resolve));
    for (let i = 0; i < 40; i++) write(join(outbox, `f${i}`), `n${i}`);
    expect(service.totals.skipped).toBeGreaterThanOrEqual(22);
    await service.tick();
    const skipped = events.find(({ action }) => action === 'skipped');
    expect(skipped).toMatchObject({
      severity: 'medium',
      dlp: { verdict: 'skipped', reasonCode: 'queue_full' },
    });
    expect(Number(skipped?.details?.['skipped.watched'])).toBe(service.totals.skipped);
    open();
    await until(() => service.totals.clean + service.totals.skipped === 40);
  });

  it('looks at the files of a folder that was moved there, and says nothing of a link or a pipe', async () => {
    addIndex();
    await start();
    mkdirSync(join(home, 'box', 'deep'), { recursive: true });
    writeFileSync(join(home, 'box', 'deep', 'a.csv'), SECRET);
    writeFileSync(join(home, 'box', 'b.txt'), 'clean');
    renameSync(join(home, 'box'), join(outbox, 'box'));
    tell(join(outbox, 'box'), 'rename');
    await until(() => events.length === 1 && service.totals.clean === 1);
    expect(events[0]).toMatchObject({
      action: 'match',
      file: { path: join(outbox, 'box', 'deep', 'a.csv') },
      dlp: { trigger: 'rename', destination: 'watched' },
    });
    symlinkSync('/etc/passwd', join(outbox, 'link'));
    tell(join(outbox, 'link'), 'rename');
    await until(() => service.queued === 0 && service.running === 0);
    expect(events).toHaveLength(1);
    expect(service.totals.unscannable).toBe(0);
  });

  it('names the protected file that a copy was made of', async () => {
    addIndex();
    await start();
    const source = join(home, 'customers.csv');
    writeFileSync(source, SECRET);
    const target = join(outbox, 'copy.csv');
    writeFileSync(target, SECRET);
    tell(target, 'write', ['/usr/bin/cp', 'customers.csv', target]);
    await until(() => events.length === 1);
    expect(events[0]?.dlp?.sources).toMatchObject([{ path: source, rules: ['customers'], name: 'cp' }]);
  });

  it('looks at a folder on request, counts, and can be cancelled', async () => {
    addIndex();
    await start();
    const folder = join(home, 'docs');
    mkdirSync(join(folder, 'deep'), { recursive: true });
    writeFileSync(join(folder, 'a'), SECRET);
    writeFileSync(join(folder, 'deep', 'b'), 'clean');
    writeFileSync(join(folder, 'deep', 'c'), 'LOCKED');
    symlinkSync('/etc/passwd', join(folder, 'link'));
    const requests = new DlpScans(service);
    const { id } = await requests.start(folder);
    await until(() => requests.progress(id)?.endedMs !== undefined);
    expect(requests.progress(id)).toMatchObject({
      state: 'done',
      files: 3,
      totalFiles: 3,
      matched: 1,
      unscannable: 1,
      left: 1,
      capped: false,
    });
    expect(new Set(events.map(({ action, severity }) => `${action} ${severity}`))).toEqual(
      new Set(['match low', 'unscannable info']),
    );
    let open = (): void => {};
    gate = new Promise((resolve) => (open = resolve));
    for (let i = 0; i < 10; i++) writeFileSync(join(folder, `x${i}`), `${i}`);
    const second = await requests.start(folder);
    await expect(requests.start(folder)).rejects.toThrow(/is being looked at/);
    const third = await requests.start(join(folder, 'deep'));
    expect(third.state).toBe('waiting');
    expect(requests.cancel(third.id)).toBe(true);
    await until(() => requests.progress(second.id)?.state === 'running');
    expect(requests.cancel(second.id)).toBe(true);
    open();
    await until(() => requests.progress(second.id)?.endedMs !== undefined);
    expect(requests.progress(second.id)).toMatchObject({ state: 'cancelled' });
    expect(requests.progress(second.id)?.left).toBeGreaterThan(0);
    expect(requests.cancel(second.id)).toBe(false);
    await expect(requests.start(join(home, 'nowhere'))).rejects.toThrow(/cannot be looked at \(ENOENT\)/);
  });

  it('tells of a scan that ended with the agent that it was cut, and keeps the others', async () => {
    addIndex();
    await start();
    const folder = join(home, 'docs');
    mkdirSync(folder);
    for (let i = 0; i < 10; i++) writeFileSync(join(folder, `x${i}`), `${i}`);
    const file = join(home, 'scans.json');
    const first = new DlpScans(service, file);
    const { id: done } = await first.start(folder, { containers: false });
    await until(() => first.progress(done)?.endedMs !== undefined);
    service.cache.forget();
    let open = (): void => {};
    gate = new Promise((resolve) => (open = resolve));
    const { id: running } = await first.start(folder);
    await until(() => first.progress(running)?.state === 'running');
    // As after a crash: nobody closed it.
    const later = new DlpScans(service, file);
    expect(later.list().map(({ id, state }) => [id, state])).toEqual([
      [running, 'cut'],
      [done, 'done'],
    ]);
    expect(later.progress(done)).toMatchObject({ files: 10, options: { containers: false } });
    first.close();
    open();
    expect(first.progress(running)?.state).toBe('cut');
    expect(new DlpScans(service, file).progress(running)?.state).toBe('cut');
    writeFileSync(file, '{"no": "list"}');
    expect(new DlpScans(service, file).list()).toEqual([]);
  });

  it('leaves out of a scan what cannot be opened, and completes paths of folders', async () => {
    addIndex();
    await start();
    const folder = join(home, 'docs');
    for (const name of ['annual', 'archive', '.hidden', 'zoo'])
      mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, 'angle'), 'a file');
    expect(await foldersLike(`${folder}/a`)).toEqual([join(folder, 'annual'), join(folder, 'archive')]);
    expect(await foldersLike(`${folder}/`)).toEqual(
      ['annual', 'archive', 'zoo'].map((name) => join(folder, name)),
    );
    expect(await foldersLike(`${folder}/.h`)).toEqual([join(folder, '.hidden')]);
    expect(await foldersLike('/nowhere/at/all')).toEqual([]);
    const left: string[] = [];
    const { signal } = new AbortController();
    const files = filesBelow('/dev', { signal, oneFileSystem: true, onLeft: (why) => left.push(why) });
    for await (const path of files) expect(statSync(path).dev).toBe(statSync('/dev').dev);
    expect(left).toContain('special');
    if (statSync('/dev/pts').dev !== statSync('/dev').dev) expect(left).toContain('file_system');
    // A link that somebody names is meant; those below are not followed.
    symlinkSync(folder, join(home, 'link'));
    symlinkSync(folder, join(folder, 'loop'));
    const scan = await new DlpScans(service).start(join(home, 'link'));
    expect(scan.path).toBe(folder);
  });
});
