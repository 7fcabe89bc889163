/** Answers the Local API's timeline methods from the store and the logs. Runs in the worker, or in a command offline. */
import type { DlpGroupsJson } from './api/contract-dlp.ts';
import type { EventJson, ExportFormat, ExportPiece, Proof } from './api/contract.ts';
import { ApiFailure } from './api/services.ts';
import { readCheckpoint } from './audit/checkpoint.ts';
import { DlpGroups, type GroupsAsked } from './dlp-groups.ts';
import { exportText } from './export.ts';
import { eventToJson, gapToJson, processToJson } from './event-json.ts';
import { entityId, walPositionOf, type Lane, type ProcessKey, type SentinelEvent } from './event.ts';
import type { TimeHistogram } from './store/histogram.ts';
import type { Page } from './store/pages.ts';
import type { QueryNode } from './store/query-ast.ts';
import { formatPosition, timeBounds } from './store/time-order.ts';
import { shieldLabel } from './shield-event.ts';
import { checkQuery } from './store/query-check.ts';
import { parseQuery } from './store/query-parser.ts';
import type { Slices } from './store/slices.ts';
import type { Timeline } from './store/timeline.ts';
import type { ProcessNode } from './store/tree.ts';
import type { CountMethod, TimelineMethod } from './timeline-messages.ts';
import { TriageIndex } from './triage.ts';
import type { WalReader } from './wal/reader.ts';
import { RecordType } from './wal/types.ts';

const DEFAULT_LIMIT = 200;
const DEFAULT_BUCKETS = 120;
const DEFAULT_TOP = 10;
const MAX_LIMIT = 1000;
const MAX_EXPORT_EVENTS = 2000;
const MAX_DECISIONS = 100;
const MAX_RAW_BYTES = 64 * 1024;
/** How far past a record its checkpoint is looked for. */
const CHECKPOINT_RECORDS = 50_000;
const NS_PER_MS = 1_000_000n;
/** Histogram of an empty timeline. */
const DEFAULT_SPAN_NS = 3_600_000_000_000n;

/** Params as they arrive; the API server has already checked their shapes. */
type Params = Record<string, never> & {
  query?: string;
  text?: string;
  caret?: number;
  limit?: number;
  before?: string;
  after?: string;
  fromNs?: string;
  toNs?: string;
  buckets?: number;
  fields?: string[];
  top?: number;
  eventId?: string;
  pid?: number;
  startNs?: string;
  entityId?: string;
  eventIds?: string[];
  format?: ExportFormat;
  columns?: string[];
};

export class TimelineQueries {
  /** Decisions about events; the worker tells it of each event stored. */
  readonly triage: TriageIndex;
  readonly #timeline: Timeline;
  readonly #readers: Readonly<Record<Lane, WalReader>>;

  constructor(timeline: Timeline, readers: Readonly<Record<Lane, WalReader>>) {
    this.#timeline = timeline;
    this.#readers = readers;
    this.triage = new TriageIndex(timeline);
  }

  /** JSON text of the result. Throws ApiFailure, QueryError. */
  answer(method: TimelineMethod, params: unknown): string {
    return JSON.stringify(this.#answer(method, params as Params));
  }

  /**
   * Counts the same way, in slices: the text once there is one. They take long on a large record, and rows are not to
   * wait for them.
   */
  answerInSlices(method: CountMethod, params: unknown): (ms: number) => string | undefined {
    const asked = params as Params;
    if (method === 'events.histogram') {
      const { query, fromNs, toNs, buckets } = this.#histogramOf(asked);
      const next = this.#timeline.histogramInSlices(query, fromNs, toNs, buckets);
      return (ms) => {
        const done = next(ms);
        return done && JSON.stringify(histogramJson(done.value));
      };
    }
    if (method === 'dlp.groups') {
      const next = this.#groupsOf(asked);
      return (ms) => {
        const done = next(ms);
        return done && JSON.stringify(done.value);
      };
    }
    const { query = '', fields = [], top = DEFAULT_TOP } = asked;
    const next = this.#timeline.facetsInSlices(parseQuery(query), fields, top);
    return (ms) => {
      const done = next(ms);
      return done && JSON.stringify({ facets: done.value });
    };
  }

  #answer(method: TimelineMethod, params: Params): unknown {
    switch (method) {
      case 'query.check':
        return checkQuery(params.text ?? '', params.caret, (field, prefix, limit) =>
          this.#timeline.valuesOf(field, prefix, limit),
        );
      case 'events.query':
        return this.#page(params);
      case 'events.histogram': {
        const { query, fromNs, toNs, buckets } = this.#histogramOf(params);
        return histogramJson(this.#timeline.histogram(query, fromNs, toNs, buckets));
      }
      case 'events.facets':
        return {
          facets: this.#timeline.facets(
            parseQuery(params.query ?? ''),
            params.fields ?? [],
            params.top ?? DEFAULT_TOP,
          ),
        };
      case 'events.get':
        return this.#detail(params.eventId ?? '');
      case 'events.around':
        return this.#around(params);
      case 'events.gaps':
        return {
          gaps: this.#timeline
            .gaps(bigOr(params.fromNs, 0n), bigOr(params.toNs, 2n ** 62n), params.limit ?? DEFAULT_LIMIT)
            .map(gapToJson),
        };
      case 'gaps.totals':
        return {
          totals: this.#timeline
            .gapTotals(bigOr(params.fromNs, 0n), bigOr(params.toNs, 2n ** 62n))
            .map((total) => ({ ...total, fromNs: total.fromNs.toString(), toNs: total.toNs.toString() })),
        };
      case 'process.tree':
        return this.#tree(params);
      case 'tree.ancestors':
        return this.#ancestors(params);
      case 'tree.children':
        return this.#children(params);
      case 'tree.overview': {
        const { busiest, latest, matched, complete } = this.#timeline.treeOverview();
        return {
          busiest: busiest.map(nodeJson),
          latest: latest.map(nodeJson),
          matched: matched.map(nodeJson),
          complete,
        };
      }
      case 'tree.search': {
        const node = parseQuery(params.query ?? '');
        const found = this.#timeline.searchTree(processKeyFrom(params.entityId), node, params.limit);
        if (!found) throw noProcess(params.entityId);
        return { paths: found.paths.map((path) => path.map(nodeJson)), complete: found.complete };
      }
      case 'events.export':
        return this.#export(params);
      case 'dlp.groups':
        return this.#groupsOf(params)(Number.POSITIVE_INFINITY)?.value;
      case 'triage.list':
        return this.triage.list(params);
      case 'events.missing':
        return (params.eventIds ?? []).filter((id) => !this.#timeline.get(eventIdFrom(id)));
      case 'sync':
        return null;
    }
  }

  #groupsOf({ query = '', ...params }: Params): Slices<DlpGroupsJson> {
    const asked = params as unknown as GroupsAsked;
    return this.#timeline.foldInSlices(parseQuery(query), () => new DlpGroups(asked));
  }

  #page(params: Params): unknown {
    const limit = Math.min(params.limit ?? DEFAULT_LIMIT, MAX_LIMIT);
    return pageJson(
      this.#timeline.query(parseQuery(params.query ?? ''), {
        limit,
        before: params.before,
        after: params.after,
      }),
    );
  }

  #export(params: Params): ExportPiece {
    const { format = 'ndjson', columns, before } = params;
    const node = parseQuery(params.query ?? '');
    const limit = Math.min(params.limit ?? MAX_LIMIT, MAX_EXPORT_EVENTS);
    const page = this.#timeline.query(node, { limit, before });
    const events = page.events.map(labelled);
    const { text, taken } = exportText(events, format, columns, before === undefined);
    const last = page.events[taken - 1];
    const piece: ExportPiece = { text, events: taken, older: page.older, atNs: last?.tsNs.toString() };
    if (last && taken < events.length) piece.older = formatPosition({ ts: last.tsNs, id: last.eventId });
    if (before !== undefined) return piece;
    if (piece.older === undefined) return { ...piece, total: taken, totalApproximate: false };
    const { oldestNs = 0n, newestNs = 0n } = this.#timeline.bounds();
    const counted = this.#timeline.histogram(node, oldestNs, newestNs + 1n, 1);
    piece.total = counted.buckets.flat().reduce((sum, count) => sum + count, 0);
    piece.totalApproximate = counted.approximate;
    return piece;
  }

  #around(params: Params): unknown {
    const page = this.#timeline.around(
      eventIdFrom(params.eventId),
      Number(params.before ?? 50),
      Number(params.after ?? 50),
    );
    if (!page) throw notFound(params.eventId);
    return pageJson(page);
  }

  /** What the params of a histogram mean now: what the query says of time, within what there is. */
  #histogramOf(params: Params): { query: QueryNode; fromNs: bigint; toNs: bigint; buckets: number } {
    const { oldestNs, newestNs } = this.#timeline.bounds();
    const nowNs = BigInt(Date.now()) * NS_PER_MS;
    const query = parseQuery(params.query ?? '');
    const bounds = timeBounds(query, nowNs);
    const oldest = oldestNs ?? nowNs - DEFAULT_SPAN_NS;
    const newest = newestNs !== undefined && newestNs > nowNs ? newestNs + 1n : nowNs;
    const last = bounds.to < newest ? bounds.to + 1n : newest;
    const first = bounds.from > oldest ? bounds.from : oldest;
    return {
      query,
      fromNs: params.fromNs === undefined ? first : BigInt(params.fromNs),
      toNs: params.toNs === undefined ? last : BigInt(params.toNs),
      buckets: params.buckets ?? DEFAULT_BUCKETS,
    };
  }

  #detail(id: string): unknown {
    const eventId = eventIdFrom(id);
    const event = this.#timeline.get(eventId);
    if (!event) throw notFound(id);
    const { lane, seq } = walPositionOf(eventId);
    const { process } = event;
    const tree = process && this.#timeline.tree(process.pid, process.startNs, { limit: 1 });
    const found = this.#readers[lane].locate(seq);
    return {
      event: labelled(event),
      ancestors: (tree?.ancestors ?? []).map((ancestor) => processToJson(ancestor.process)),
      related: tree?.node.counts ?? {},
      triage: this.triage.list({ eventIds: [id], limit: MAX_LIMIT }).decisions,
      decisions: this.#timeline.decisions({ eventId }, MAX_DECISIONS).map(eventToJson),
      rawHex: found?.record.payload.subarray(0, MAX_RAW_BYTES).toString('hex'),
      proof: found && this.#proof(lane, seq, found),
    };
  }

  #proof(lane: Lane, seq: number, found: { segment: string; commitNo: number; chain: Buffer }): Proof {
    const proof: Proof = {
      lane,
      seq: String(seq),
      segment: found.segment,
      commitNo: String(found.commitNo),
      chain: found.chain.toString('hex'),
    };
    for (const record of this.#readers[lane].scan(seq, CHECKPOINT_RECORDS)) {
      if (record.type !== RecordType.checkpoint) continue;
      const checkpoint = readCheckpoint(record.payload);
      if (!checkpoint || checkpoint.upToSeq < seq) continue;
      proof.checkpoint = {
        seq: String(record.seq),
        tsNs: checkpoint.tsNs.toString(),
        signature: checkpoint.signature,
        keyId: checkpoint.keyId,
      };
      break;
    }
    return proof;
  }

  #tree(params: Params): unknown {
    const pid = params.pid ?? 0;
    const tree = this.#timeline.tree(pid, params.startNs === undefined ? undefined : BigInt(params.startNs), {
      limit: params.limit,
      after: params.after,
    });
    if (!tree) throw new ApiFailure('not_found', `no process with pid ${pid} is in the timeline`);
    return {
      ancestors: tree.ancestors.map(nodeJson),
      node: nodeJson(tree.node),
      children: tree.children.map(nodeJson),
      more: tree.more,
    };
  }

  #ancestors(params: Params): unknown {
    const found = this.#timeline.ancestors(processKeyFrom(params.entityId));
    if (!found) throw noProcess(params.entityId);
    return { node: nodeJson(found.node), ancestors: found.ancestors.map(nodeJson) };
  }

  #children(params: Params): unknown {
    const { limit, after } = params;
    const page = this.#timeline.children(processKeyFrom(params.entityId), { limit, after });
    if (!page) throw noProcess(params.entityId);
    return { children: page.children.map(nodeJson), total: page.total, more: page.more };
  }
}

function histogramJson(result: TimeHistogram): unknown {
  return {
    fromNs: result.fromNs.toString(),
    toNs: result.toNs.toString(),
    bucketNs: result.bucketNs.toString(),
    buckets: result.buckets.map(([info, low, medium, high, critical]) => ({
      info,
      low,
      medium,
      high,
      critical,
    })),
    gaps: result.gaps.map(gapToJson),
    approximate: result.approximate,
  };
}

/** An event for whoever asked, with the shield's label when a text in it is not benign. */
function labelled(event: SentinelEvent): EventJson {
  const json = eventToJson(event);
  const shield = shieldLabel(event);
  if (shield) json['shield'] = shield;
  return json as unknown as EventJson;
}

function pageJson(page: Page): unknown {
  return {
    events: page.events.map(labelled),
    older: page.older,
    newer: page.newer,
    partial: page.partial || undefined,
  };
}

function nodeJson(node: ProcessNode): unknown {
  return {
    entityId: entityId(node.process),
    process: processToJson(node.process),
    startNs: node.startNs.toString(),
    lastNs: node.lastNs.toString(),
    endNs: node.endNs?.toString(),
    children: node.children,
    counts: node.counts,
    severity: node.severity,
    detections: node.detections,
    told: node.told,
    subtree: node.subtree,
  };
}

function notFound(id: string | undefined): ApiFailure {
  return new ApiFailure('not_found', `there is no event ${String(id)}; retention may have removed it`);
}

function noProcess(id: string | undefined): ApiFailure {
  return new ApiFailure(
    'not_found',
    `the timeline has no process ${String(id)}; retention may have removed it`,
  );
}

function processKeyFrom(text: string | undefined): ProcessKey {
  const match = /^(\d{1,10})-(\d{1,20})$/.exec(text ?? '');
  if (!match) throw new ApiFailure('bad_request', `${String(text)} is not an entity id (pid-startNs)`);
  return { pid: Number(match[1]), startNs: BigInt(match[2] ?? '0') };
}

function bigOr(text: string | undefined, fallback: bigint): bigint {
  return text === undefined ? fallback : BigInt(text);
}

function eventIdFrom(text: string | undefined): number {
  const id = Number(text);
  if (!Number.isSafeInteger(id) || id < 0)
    throw new ApiFailure('bad_request', `${String(text)} is not an event id`);
  return id;
}
