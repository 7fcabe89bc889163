/** The methods of the Local API about protected data. */
import type { TriageDecision } from './api/contract.ts';
import type { DlpCoverageJson, DlpIndexJson, DlpQuarantineJson } from './api/contract-dlp.ts';
import { ApiFailure, type ApiServices, type Peer } from './api/services.ts';
import type { Dlp } from './open-dlp.ts';
import { foldersLike } from './dlp/files-below.ts';
import type { QuarantineEntry } from './dlp/quarantine.ts';
import { describeError, SentinelError } from './errors.ts';
import type { TimelineClient } from './timeline-client.ts';
import type { LanePositions } from './timeline-messages.ts';
import { nameOf } from './triage.ts';

interface Parts {
  dlp: Dlp;
  timeline: Pick<TimelineClient, 'call'>;
  settle: () => Promise<LanePositions>;
}

type Served = Pick<
  ApiServices['methods'],
  | 'dlp.indexes'
  | 'dlp.hits'
  | 'dlp.groups'
  | 'dlp.unscannable'
  | 'dlp.scan.progress'
  | 'dlp.scan.list'
  | 'dlp.scan.folders'
  | 'dlp.scan.start'
  | 'dlp.scan.cancel'
  | 'dlp.quarantine.list'
  | 'dlp.quarantine.restore'
  | 'dlp.quarantine.remove'
>;

const PAGE = 200;
const MAX_NOT_WATCHED = 50;
const HITS = 'type:dlp action:match';

const narrowed = (fixed: string, query = ''): string =>
  query.trim() === '' ? fixed : `${fixed} and (${query})`;

export function dlpMethods(parts: Parts, byOf: (peer: Peer) => TriageDecision['by']): Served {
  const { service, scans, quarantine } = parts.dlp;
  const page = async (
    fixed: string,
    { query, limit, before }: { query?: string; limit?: number; before?: string },
  ): ReturnType<Served['dlp.hits']> =>
    parts.timeline.call(
      'events.query',
      {
        query: narrowed(fixed, query),
        limit: limit ?? PAGE,
        ...(before === undefined ? {} : { before }),
      },
      before === undefined ? await parts.settle() : undefined,
    );
  return {
    'dlp.indexes': async () => {
      const { indexes } = service;
      return {
        indexes: indexesOf(parts.dlp),
        ruleFiles: indexes.rules.map(({ file }) => file),
        problems: [...indexes.problems],
        coverage: coverageOf(parts.dlp),
      };
    },
    'dlp.hits': (params) => page(HITS, params),
    'dlp.groups': async ({ query, ...params }, { signal }) =>
      parts.timeline.call(
        'dlp.groups',
        { ...params, query: narrowed(HITS, query) },
        await parts.settle(),
        signal,
      ),
    'dlp.unscannable': (params) => page('type:dlp (action:unscannable or action:skipped)', params),
    'dlp.scan.progress': async ({ id }) => {
      const scan = scans.progress(id);
      return scan ? { scan } : {};
    },
    'dlp.scan.list': async () => ({ scans: scans.list() }),
    'dlp.scan.folders': async ({ prefix }) => ({ folders: await foldersLike(prefix) }),
    'dlp.scan.start': async ({ path, ...options }) => ({
      scan: await refusing(() => scans.start(path, options)),
    }),
    'dlp.scan.cancel': async ({ id }) => ({ cancelled: scans.cancel(id) }),
    'dlp.quarantine.list': async () => ({ entries: (await quarantine.list()).map(entryJson) }),
    'dlp.quarantine.restore': async ({ id, to }, { peer }) => {
      const restored = await refusing(() => quarantine.restore(id, to, nameOf(byOf(peer))));
      return { entry: entryJson(restored), restoredTo: restored.restoredTo, notKept: restored.notKept };
    },
    'dlp.quarantine.remove': async ({ id }, { peer }) => ({
      entry: entryJson(await refusing(() => quarantine.remove(id, nameOf(byOf(peer))))),
    }),
  };
}

function indexesOf({ service }: Dlp): DlpIndexJson[] {
  return (service.indexes.engine?.info() ?? []).map(
    ({ path, name, format, bytes, rows, entries, createdMs, keyId, signature, prefilterRate, fields }) => ({
      file: path,
      name,
      format: format ?? 'rows',
      bytes,
      rows,
      entries,
      createdMs,
      keyId,
      signature,
      prefilterRate,
      fields: fields.map(({ column, role, type }) => ({ column, role, type })),
    }),
  );
}

/** What is watched, and what came of it. */
export function coverageOf({ service, settings, whyNoFiles }: Dlp): DlpCoverageJson {
  const { indexes, mounts, cache, totals } = service;
  const reason =
    indexes.engine === undefined ? indexes.problem || 'there is no index and no rule' : whyNoFiles;
  return {
    watching: reason === '',
    ...(reason === '' ? {} : { reason }),
    triggers: ['close_write', 'rename', 'push'],
    mounts: mounts.leaving().map(({ path, kind, fileSystem, source, why }) => ({
      path,
      kind: kind as 'removable',
      fileSystem,
      source,
      why,
    })),
    notWatched: mounts
      .staying()
      .slice(0, MAX_NOT_WATCHED)
      .map(({ path, fileSystem, why }) => ({ path, fileSystem, why })),
    watched: [...settings['dlp.watch']],
    queue: { waiting: service.queued, running: service.running, max: settings['dlp.queueFiles'] },
    totals: { ...totals },
    cost: { bytes: service.cost.bytes, tookMs: Math.round(service.cost.tookMs) },
    cache: { entries: cache.size, hits: cache.hits, evictions: cache.evictions },
    protectedFiles: service.protectedFiles,
  };
}

function entryJson(entry: QuarantineEntry): DlpQuarantineJson {
  const { atimeNs: _, ...json } = entry;
  return json;
}

/** Runs something that may refuse, and answers with the refusal. */
async function refusing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof SentinelError) throw new ApiFailure('bad_request', describeError(error));
    throw error;
  }
}
