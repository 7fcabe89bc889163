/** In-memory services for the API's own tests: what is tested here is the API, not what stands behind it. */
import type { EventJson, HealthSnapshot } from './contract.ts';
import { ApiFailure, type ApiServices, type FollowListener } from './services.ts';

export interface FakeServices extends ApiServices {
  /** Hands events to every follower whose query is `*`, as the timeline would. */
  emit(events: EventJson[], skipped?: number): void;
  emitHealth(snapshot: HealthSnapshot): void;
  followers(): number;
  healthWatchers(): number;
  /** Signals of the calls of `events.query` with query `hang`, which never answer. */
  hanging: AbortSignal[];
  followCalls: number;
}

export function event(id: number, text = ''): EventJson {
  return {
    eventId: String(id),
    eventVersion: 1,
    type: 'process',
    action: 'exec',
    lane: 'security',
    tsNs: String(1_700_000_000_000_000_000n + BigInt(id)),
    severity: 'info',
    message: text,
  };
}

export function healthSnapshot(level: HealthSnapshot['level'] = 'ok'): HealthSnapshot {
  return { level, sentence: `state ${level}` } as HealthSnapshot;
}

const NO_POLICIES = { policies: [], problems: [], warnings: [], notices: [], pending: [], approvers: [] };

export function fakeServices(): FakeServices {
  const followers = new Set<FollowListener>();
  const watchers = new Set<(snapshot: HealthSnapshot) => void>();
  const hanging: AbortSignal[] = [];
  const notFound = (): never => {
    throw new ApiFailure('not_found', 'there is no such event');
  };
  const services: FakeServices = {
    hanging,
    followCalls: 0,
    emit: (events, skipped = 0) => {
      for (const follower of followers) follower(events, skipped);
    },
    emitHealth: (snapshot) => {
      for (const watcher of watchers) watcher(snapshot);
    },
    followers: () => followers.size,
    healthWatchers: () => watchers.size,
    watchHealth: (listener) => {
      watchers.add(listener);
      return () => watchers.delete(listener);
    },
    followEvents: async (query, _limit, listener) => {
      services.followCalls++;
      if (query === 'bad(') {
        throw new ApiFailure('bad_query', 'expected a value after "("', { offset: 3, length: 1 });
      }
      if (query === 'slow') await new Promise((done) => setTimeout(done, 50));
      followers.add(listener);
      return { snapshot: { events: [event(1)] }, stop: () => void followers.delete(listener) };
    },
    methods: {
      'health.get': async () => healthSnapshot(),
      'query.check': async ({ text }) => ({ ok: true, canonical: text, tokens: [], completions: [] }),
      'events.query': async ({ query, limit }, { signal }) => {
        if (query === 'hang') {
          hanging.push(signal);
          await new Promise(() => {});
        }
        if (query === 'crash') throw new TypeError('secret detail\n    at /src/store.ts:1:2');
        if (query === 'big') return { events: [event(1, 'x'.repeat(9 * 1024 * 1024))] };
        if (query === 'mega') return { events: [event(1, 'x'.repeat(1024 * 1024))] };
        return { events: Array.from({ length: limit ?? 2 }, (_, index) => event(index + 1)) };
      },
      'events.histogram': async () => ({
        fromNs: '0',
        toNs: '1',
        bucketNs: '1',
        buckets: [],
        gaps: [],
        approximate: false,
      }),
      'events.facets': async () => ({ facets: [] }),
      'events.get': async () => notFound(),
      'events.around': async () => ({ events: [] }),
      'events.gaps': async () => ({ gaps: [] }),
      'gaps.totals': async () => ({ totals: [] }),
      'process.tree': async () => notFound(),
      'tree.overview': async () => ({ busiest: [], latest: [], matched: [], complete: true }),
      'tree.ancestors': async () => notFound(),
      'tree.children': async () => ({ children: [], total: 0 }),
      'events.export': async () => ({ text: '', events: 0 }),
      'triage.list': async () => ({ decisions: [], more: false }),
      'triage.set': async () => ({ decisions: [] }),
      'saved.list': async () => ({ items: [] }),
      'saved.put': async () => notFound(),
      'saved.delete': async () => ({ removed: false }),
      'evidence.start': async () => ({ running: false, bytes: 0 }),
      'evidence.state': async () => ({ running: false, bytes: 0 }),
      'evidence.read': async () => notFound(),
      'evidence.cancel': async () => ({ running: false, bytes: 0 }),
      'log.check': async () => ({ running: false }),
      'tree.search': async () => ({ paths: [], complete: true }),
      'exceptions.preview': async () => notFound(),
      'exceptions.list': async () => ({ exceptions: [] }),
      'exceptions.save': async () => notFound(),
      'exceptions.remove': async () => ({ removed: false }),
      'doctor.check': async () => ({ checks: [] }),
      'rules.list': async () => ({ rules: [] }),
      'policy.list': async () => NO_POLICIES,
      'policy.get': async () => notFound(),
      'policy.explain': async () => notFound(),
      'policy.validate': async () => ({
        valid: 0,
        problems: [],
        warnings: [],
        policies: [],
        completions: [],
      }),
      'policy.diff': async () => ({ lines: [] }),
      'policy.templates': async () => ({ templates: [] }),
      'policy.except': async () => notFound(),
      'policy.save': async () => notFound(),
      'policy.simulation': async () => ({}),
      'policy.reload': async () => NO_POLICIES,
      'policy.step': async () => notFound(),
      'policy.run': async () => notFound(),
      'policy.thaw': async () => ({ thawed: [] }),
      'policy.release': async () => ({ released: [] }),
      'policy.cancel': async () => ({ cancelled: false }),
      'policy.request': async () => notFound(),
      'policy.approve': async () => notFound(),
      'policy.approvers': async () => ({ approvers: [] }),
      'dlp.indexes': async () => notFound(),
      'dlp.hits': async () => ({ events: [] }),
      'dlp.groups': async () => ({ groups: [], total: 0, findings: 0, hits: 0 }),
      'dlp.unscannable': async () => ({ events: [] }),
      'dlp.scan.progress': async () => ({}),
      'dlp.scan.start': async () => notFound(),
      'dlp.scan.list': async () => ({ scans: [] }),
      'dlp.scan.folders': async () => ({ folders: [] }),
      'dlp.scan.cancel': async () => ({ cancelled: false }),
      'dlp.quarantine.list': async () => ({ entries: [] }),
      'dlp.quarantine.restore': async () => notFound(),
      'dlp.quarantine.remove': async () => notFound(),
      'rules.reload': async () => ({ loaded: 3, failed: [] }),
      'console.url': async () => ({ url: 'http://127.0.0.1:1/sign-in?token=x', expiresNs: '1' }),
    },
  };
  return services;
}
