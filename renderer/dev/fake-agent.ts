/** An agent in the page: answers the contract from an array, with a query language of a few clauses. */
import type {
  EventJson,
  EventPage,
  GapJson,
  HealthLevel,
  Histogram,
  Transport,
} from '../../agent/api/contract.ts';
import { leavesOf } from '../src/timeline/fields.ts';
import { cursorOf } from '../src/timeline/page-window.ts';
import { words } from '../src/timeline/query-text.ts';
import { eventAt } from './fake-events.ts';
import { fakeHealth } from './fake-health.ts';

export interface FakeOptions {
  events: number;
  ratePerSecond: number;
  level: HealthLevel;
  hostile: boolean;
}

class Refused extends Error {
  readonly body: { code: string; message: string; offset?: number; length?: number };
  constructor(code: string, message: string, offset?: number, length?: number) {
    super(message);
    this.body = { code, message, offset, length };
  }
}

type Test = (event: EventJson) => boolean;
const UNITS: Record<string, number> = { s: 1e3, m: 6e4, h: 36e5, d: 864e5 };

function valuesOf(event: EventJson, field: string): string[] {
  if (field === 'rule') return event.detections?.flatMap((d) => [d.ruleId, d.title]) ?? [];
  return leavesOf(event)
    .filter((leaf) => leaf.field === field)
    .map((leaf) => leaf.value);
}

function clauseTest(word: string, offset: number): Test {
  const colon = word.indexOf(':');
  if (colon <= 0) return (event) => JSON.stringify(event).toLowerCase().includes(word.toLowerCase());
  const field = word.slice(0, colon);
  const value = word
    .slice(colon + 1)
    .replace(/^"|"$/g, '')
    .replace(/\\(.)/g, '$1');
  if (field === 'last') {
    const match = /^(\d+)([smhd])$/.exec(value);
    if (!match)
      throw new Refused(
        'bad_query',
        'last needs a duration with a unit: write last:1h',
        offset + colon + 1,
        value.length || 1,
      );
    const from = Date.now() - Number(match[1]) * UNITS[match[2]!]!;
    return (event) => Number(BigInt(event.tsNs) / 1_000_000n) >= from;
  }
  if (field === 'since') return (event) => Number(BigInt(event.tsNs) / 1_000_000n) >= Date.parse(value);
  if (field === 'until') return (event) => Number(BigInt(event.tsNs) / 1_000_000n) <= Date.parse(value);
  if (field === 'has') return (event) => valuesOf(event, value).length > 0;
  if (!/^[a-z.0-9]+$/.test(field))
    throw new Refused('bad_query', `unknown field ${field}`, offset, field.length);
  const pattern = value.includes('*')
    ? new RegExp(
        `^${value
          .split('*')
          .map((part) => part.replace(/\W/g, '\\$&'))
          .join('.*')}$`,
        'i',
      )
    : undefined;
  return (event) =>
    valuesOf(event, field).some((candidate) =>
      pattern ? pattern.test(candidate) : candidate.toLowerCase() === value.toLowerCase(),
    );
}

function compile(query: string): Test {
  const tests: Test[] = [];
  let negate = false;
  for (const word of words(query)) {
    if (/^(and|\(|\))$/i.test(word.text)) continue;
    if (/^not$/i.test(word.text)) {
      negate = true;
      continue;
    }
    const test = clauseTest(word.text, word.offset);
    tests.push(negate ? (event) => !test(event) : test);
    negate = false;
  }
  return (event) => tests.every((test) => test(event));
}

export function createFakeAgent(options: FakeOptions) {
  const startedMs = Date.now() - 7_654_000;
  const stepNs = 3_600_000_000_000n / BigInt(Math.max(1, options.events));
  const startNs = BigInt(Date.now()) * 1_000_000n - 3_600_000_000_000n;
  /** Oldest first. */
  const events: EventJson[] = [];
  for (let at = 0; at < options.events; at += 1)
    events.push(eventAt(at, startNs + BigInt(at) * stepNs, options.hostile));
  const follows = new Map<string, { test: Test; push: (delta: unknown) => void }>();
  const connections = new Set<() => void>();

  if (options.ratePerSecond > 0) {
    setInterval(
      () => {
        const count = Math.max(1, Math.round(options.ratePerSecond / 5));
        const fresh = Array.from({ length: count }, () => {
          const event = eventAt(events.length, BigInt(Date.now()) * 1_000_000n, options.hostile);
          events.push(event);
          return event;
        });
        for (const follow of follows.values()) {
          const matching = fresh.filter(follow.test);
          if (matching.length > 0) follow.push({ events: matching, skipped: 0 });
        }
      },
      Math.max(200, 1000 / options.ratePerSecond),
    );
  }

  const page = (query: string, limit: number, before?: string, after?: string): EventPage => {
    const test = compile(query);
    const found: EventJson[] = [];
    /** Ids grow with the array: event n has id 2(n+1), or one more on the observability lane. */
    const idOf = (cursor: string): number => Number(cursor.split('.')[1]);
    const near = (id: number): number => Math.min(events.length - 1, Math.floor((id - 2) / 2));
    const known = (n: number): number => Number(events[n]?.eventId ?? -1);
    let at = events.length - 1;
    if (before !== undefined) at = near(idOf(before)) - (known(near(idOf(before))) < idOf(before) ? 0 : 1);
    if (after !== undefined) {
      let from = near(idOf(after)) + (known(near(idOf(after))) > idOf(after) ? 0 : 1);
      for (; from < events.length && found.length < limit; from += 1)
        if (test(events[from]!)) found.unshift(events[from]!);
    } else for (; at >= 0 && found.length < limit; at -= 1) if (test(events[at]!)) found.push(events[at]!);
    const [first, last] = [found[0], found.at(-1)];
    return {
      events: found,
      older: last && events.slice(0, events.indexOf(last)).some(test) ? cursorOf(last) : undefined,
      newer: first && cursorOf(first),
    };
  };

  const histogram = (query: string, buckets: number): Histogram => {
    const test = compile(query);
    const matching = events.filter(test);
    const to = BigInt(Date.now()) * 1_000_000n;
    const from = BigInt(matching[0]?.tsNs ?? to - 3_600_000_000_000n);
    const bucketNs = (to - from) / BigInt(buckets) + 1n;
    const out = Array.from({ length: buckets }, () => ({ info: 0, low: 0, medium: 0, high: 0, critical: 0 }));
    for (const event of matching) {
      const bucket = out[Math.min(buckets - 1, Number((BigInt(event.tsNs) - from) / bucketNs))]!;
      bucket[event.severity] += 1;
    }
    const gaps: GapJson[] = events.flatMap((event) => (event.gap ? [event.gap] : []));
    return {
      fromNs: String(from),
      toNs: String(to),
      bucketNs: String(bucketNs),
      buckets: out,
      gaps,
      approximate: false,
    };
  };

  const facets = (query: string, fields: string[], top: number) => {
    const test = compile(query);
    const matching = events.filter(test).slice(-5000);
    return {
      facets: fields.map((field) => {
        const counts = new Map<string, number>();
        for (const event of matching)
          for (const value of new Set(
            field === 'rule' ? event.detections?.map((d) => d.title) : valuesOf(event, field),
          ))
            counts.set(value, (counts.get(value) ?? 0) + 1);
        const values = [...counts]
          .sort((a, b) => b[1] - a[1])
          .slice(0, top)
          .map(([value, count]) => ({ value, count }));
        return { field, values, approximate: matching.length === 5000 };
      }),
    };
  };

  const check = (text: string, caret?: number) => {
    const tokens = words(text).flatMap((word) => {
      const colon = word.text.indexOf(':');
      if (/^(and|or|not)$/i.test(word.text))
        return [{ offset: word.offset, length: word.text.length, kind: 'keyword' }];
      if (colon <= 0) return [{ offset: word.offset, length: word.text.length, kind: 'value' }];
      const time = /^(last|since|until)$/.test(word.text.slice(0, colon));
      return [
        { offset: word.offset, length: colon + 1, kind: time ? 'time' : 'field' },
        {
          offset: word.offset + colon + 1,
          length: word.text.length - colon - 1,
          kind: time ? 'time' : 'value',
        },
      ];
    });
    const word =
      caret === undefined
        ? undefined
        : words(text).find((w) => w.offset < caret && w.offset + w.text.length >= caret);
    const typed = word?.text ?? '';
    const completions =
      caret === undefined || typed.includes(':')
        ? []
        : ['image', 'user', 'type', 'action', 'severity', 'file', 'ip', 'port', 'rule', 'last', 'has']
            .filter((name) => name.startsWith(typed))
            .map((name) => ({
              text: `${name}:`,
              label: `${name}:`,
              detail: 'field',
              replaceFrom: word?.offset ?? caret,
              replaceTo: caret,
            }));
    try {
      compile(text);
      return { ok: true, tokens, completions };
    } catch (error) {
      return { ok: false, error: (error as Refused).body, tokens, completions };
    }
  };

  const get = (eventId: string) => {
    const event = events.find((candidate) => candidate.eventId === eventId);
    if (!event) throw new Refused('not_found', 'no such event');
    const ancestors = event.parent
      ? [
          event.parent,
          { pid: 812, startNs: '1', name: 'sshd', argv: ['sshd: dev [priv]'], user: 'root' },
          { pid: 1, startNs: '0', name: 'systemd', argv: ['/sbin/init'], user: 'root' },
        ]
      : [];
    const hex = Array.from(new TextEncoder().encode(JSON.stringify(event).slice(0, 600)), (byte) =>
      byte.toString(16).padStart(2, '0'),
    ).join('');
    return {
      event,
      rawHex: hex,
      ancestors,
      related: { file: 41, network: 3, process: 2 },
      proof: {
        lane: event.lane,
        seq: String(Number(eventId) >> 1),
        segment: '000000000014.swal',
        commitNo: '88121',
        chain: '7d3f6c1f3b0e4a0b9d2c6e8f0a1b2c3d4e5f60718293a4b5c6d7e8f901234567',
        checkpoint: {
          seq: '999999',
          tsNs: String(BigInt(Date.now()) * 1_000_000n),
          signature: 'mYp0b1s2Q3u4'.repeat(6),
          keyId: 'ed25519:9f2c1d7a',
        },
      },
    };
  };

  const rules = () => ({
    rules: Array.from({ length: 140 }, (_, at) => ({
      id: `rule-${at}`,
      title: [
        'Remote script fetched with curl',
        'Program run from memory',
        'Kernel module loaded by hand',
        'Cron file changed',
      ][at % 4]!,
      level: (['low', 'medium', 'high', 'critical'] as const)[at % 4]!,
      attack: [['T1105'], ['T1620'], ['T1547.006'], ['T1053.003', 'T1078']][at % 4]!,
      type: 'detection',
      logsource: 'linux/process_creation',
      source: 'bundled',
      hits: at < 6 ? 40 - at * 6 : 0,
      disabledReason:
        at % 31 === 30 ? 'needs Windows registry events, which this machine does not have' : undefined,
    })),
  });

  const answer = (method: string, p: Record<string, never>): unknown => {
    const params = p as Record<string, unknown>;
    const query = (params.query as string | undefined) ?? '';
    switch (method) {
      case 'api.hello':
        return { version: 1, agentVersion: '0.1.0', privileged: false };
      case 'query.check':
        return check(params.text as string, params.caret as number | undefined);
      case 'events.query':
        return page(query, (params.limit as number) ?? 200, params.before as string, params.after as string);
      case 'events.histogram':
        return histogram(query, params.buckets as number);
      case 'events.facets':
        return facets(query, params.fields as string[], (params.top as number) ?? 8);
      case 'events.get':
        return get(params.eventId as string);
      case 'doctor.check':
        return {
          checks: [
            { name: 'kernel', result: 'ok', detail: '6.12.9-amd64' },
            {
              name: 'cgroup v2',
              result: 'warn',
              detail: 'not mounted: no connection hooks',
              remedy: 'mount -t cgroup2 none /sys/fs/cgroup/unified',
            },
          ],
        };
      case 'rules.list':
        return rules();
      default:
        throw new Refused('bad_request', `unknown method ${method}`);
    }
  };

  let nextSubscription = 1;
  const connect = (): Transport => {
    let receive: (text: string) => void = () => undefined;
    let closed: () => void = () => undefined;
    const ends = new Map<number, () => void>();
    const emit = (message: unknown): void => void setTimeout(() => receive(JSON.stringify(message)), 5);
    const subscribe = (
      method: string,
      params: Record<string, never>,
    ): { subscription: number; start: () => void } => {
      const subscription = nextSubscription;
      nextSubscription += 1;
      let seq = 1;
      const push = (delta: unknown): void => emit({ subscription, seq: (seq += 1), delta });
      if (method === 'health.watch') {
        const snapshot = () => fakeHealth(options.level, startedMs, events.length, options.ratePerSecond);
        const timer = setInterval(() => push(snapshot()), 1000);
        ends.set(subscription, () => clearInterval(timer));
        return { subscription, start: () => emit({ subscription, seq: 1, snapshot: snapshot() }) };
      }
      const { query, limit } = params as unknown as { query: string; limit: number };
      const test = compile(query);
      const key = `${subscription}`;
      ends.set(subscription, () => follows.delete(key));
      return {
        subscription,
        start: () => {
          emit({ subscription, seq: 1, snapshot: { ...page(query, limit), newer: undefined } });
          follows.set(key, { test, push });
        },
      };
    };
    const end = (): void => {
      for (const stop of ends.values()) stop();
      ends.clear();
      closed();
    };
    connections.add(end);
    return {
      backlogBytes: 0,
      onMessage: (listener) => (receive = listener),
      onClose: (listener) => (closed = listener),
      close: end,
      send: (text) => {
        const message = JSON.parse(text) as {
          id: number;
          method?: string;
          params: Record<string, never>;
          unsubscribe?: number;
        };
        if (message.unsubscribe !== undefined) {
          ends.get(message.unsubscribe)?.();
          ends.delete(message.unsubscribe);
        }
        if (message.method === undefined) return;
        try {
          if (message.method === 'health.watch' || message.method === 'events.follow') {
            const { subscription, start } = subscribe(message.method, message.params);
            emit({ id: message.id, result: { subscription } });
            start();
          } else emit({ id: message.id, result: answer(message.method, message.params) });
        } catch (error) {
          emit({
            id: message.id,
            error: error instanceof Refused ? error.body : { code: 'internal', message: String(error) },
          });
        }
      },
    };
  };
  return {
    connect,
    dropAll: () => {
      for (const end of connections) end();
      connections.clear();
    },
  };
}
