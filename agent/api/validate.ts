/** Parameters of every method, checked before a service sees them. Bounds are here; meanings are in the contract. */
import * as z from 'zod/mini';
import {
  EXCEPTION_MATCHES,
  TRIAGE_LABELS,
  type MethodName,
  type Methods,
  type SubscriptionName,
  type Subscriptions,
} from './contract.ts';
import { ApiFailure } from './services.ts';

const MAX_QUERY_CHARS = 8192;
const MAX_PAGE_EVENTS = 1000;
const MAX_POLICY_CHARS = 200_000;
const MAX_EXPORT_EVENTS = 2000;

const query = z.string().check(z.maxLength(MAX_QUERY_CHARS));
const cursor = z.string().check(z.minLength(1), z.maxLength(256));
const entityId = z.string().check(z.regex(/^\d{1,10}-\d{1,20}$/));
const DECIMAL = /^\d{1,20}$/;
const decimal = z.string().check(z.regex(DECIMAL));
const limit = z.int().check(z.gte(1), z.lte(MAX_PAGE_EVENTS));
const eventIds = z.array(decimal).check(z.minLength(1), z.maxLength(500));
const label = z.enum(TRIAGE_LABELS);
const ruleId = z.string().check(z.minLength(1), z.maxLength(256));
const kind = z.string().check(z.regex(/^[a-z][a-z0-9-]{0,31}$/));
const savedName = z.string().check(z.minLength(1), z.maxLength(200));
const conditions = z
  .array(
    z.strictObject({
      field: z.string().check(z.regex(/^[A-Za-z][A-Za-z0-9_.-]{0,127}$/)),
      match: z.enum(EXCEPTION_MATCHES),
      value: z.string().check(z.minLength(1), z.maxLength(4096)),
    }),
  )
  .check(z.minLength(1), z.maxLength(16));
const nothing = z.strictObject({});
const policyId = z.string().check(z.regex(/^[a-z0-9][a-z0-9._-]{0,63}$/));
const policyText = z.string().check(z.maxLength(MAX_POLICY_CHARS));
const hexId = z.string().check(z.regex(/^[0-9a-f]{16}$/));
const absolutePath = z.string().check(z.regex(/^\/[^\0]*$/), z.maxLength(4096));
const dlpPage = z.strictObject({
  query: z.optional(query),
  limit: z.optional(limit),
  before: z.optional(cursor),
});
const policyOnly = z.strictObject({ id: policyId });

type Schemas = {
  [M in MethodName]: z.ZodMiniType<Methods[M]['params']>;
} & { [S in SubscriptionName]: z.ZodMiniType<Subscriptions[S]['params']> };

const SCHEMAS: Schemas = {
  'api.hello': z.strictObject({
    version: z.int(),
    locale: z.optional(z.string().check(z.maxLength(35))),
  }),
  'health.get': nothing,
  'health.watch': nothing,
  'query.check': z.strictObject({ text: query, caret: z.optional(z.int().check(z.gte(0))) }),
  'events.query': z.strictObject({
    query,
    limit: z.optional(limit),
    before: z.optional(cursor),
    after: z.optional(cursor),
  }),
  'events.follow': z.strictObject({ query, limit: z.optional(limit) }),
  'events.histogram': z.strictObject({
    query,
    fromNs: z.optional(decimal),
    toNs: z.optional(decimal),
    buckets: z.int().check(z.gte(1), z.lte(2000)),
  }),
  'events.facets': z.strictObject({
    query,
    fields: z.array(z.string().check(z.minLength(1), z.maxLength(64))).check(z.minLength(1), z.maxLength(16)),
    top: z.optional(z.int().check(z.gte(1), z.lte(200))),
  }),
  'events.get': z.strictObject({ eventId: decimal }),
  'events.around': z.strictObject({
    eventId: decimal,
    before: z.int().check(z.gte(0), z.lte(MAX_PAGE_EVENTS)),
    after: z.int().check(z.gte(0), z.lte(MAX_PAGE_EVENTS)),
  }),
  'gaps.totals': z.strictObject({
    fromNs: z.optional(decimal),
    toNs: z.optional(decimal),
  }),
  'events.gaps': z.strictObject({
    fromNs: z.optional(decimal),
    toNs: z.optional(decimal),
    limit: z.optional(limit),
  }),
  'events.export': z.strictObject({
    query,
    format: z.enum(['ndjson', 'csv']),
    columns: z.optional(
      z
        .array(z.string().check(z.regex(/^[A-Za-z][A-Za-z0-9_]{0,63}(\.[A-Za-z0-9_-]{1,64}){0,3}$/)))
        .check(z.minLength(1), z.maxLength(64)),
    ),
    before: z.optional(cursor),
    limit: z.optional(z.int().check(z.gte(1), z.lte(MAX_EXPORT_EVENTS))),
  }),
  'triage.list': z.strictObject({
    eventIds: z.optional(eventIds),
    ruleId: z.optional(ruleId),
    label: z.optional(label),
    history: z.optional(z.boolean()),
    limit: z.optional(limit),
  }),
  'triage.set': z.strictObject({
    eventIds,
    label,
    ruleId: z.optional(ruleId),
    note: z.optional(z.string().check(z.maxLength(2000))),
  }),
  'saved.list': z.strictObject({ kind: z.optional(kind) }),
  'saved.put': z.strictObject({ kind, name: savedName, value: z.string().check(z.maxLength(16 * 1024)) }),
  'saved.delete': z.strictObject({ kind, name: savedName }),
  'evidence.start': z.strictObject({ query }),
  'evidence.state': nothing,
  'evidence.read': z.strictObject({ offset: z.int().check(z.gte(0)) }),
  'evidence.cancel': nothing,
  'log.check': z.strictObject({ start: z.boolean() }),
  'process.tree': z.strictObject({
    pid: z.int().check(z.gte(0), z.lte(2 ** 31 - 1)),
    startNs: z.optional(decimal),
  }),
  'tree.overview': nothing,
  'tree.ancestors': z.strictObject({ entityId }),
  'tree.children': z.strictObject({ entityId, limit: z.optional(limit), after: z.optional(cursor) }),
  'exceptions.preview': z.strictObject({ eventId: decimal, ruleId, conditions: z.optional(conditions) }),
  'exceptions.save': z.strictObject({
    eventId: decimal,
    ruleId,
    conditions,
    reason: z.string().check(z.minLength(1), z.maxLength(500)),
    expires: z.string().check(z.regex(/^\d{4}-\d{2}-\d{2}$/)),
  }),
  'exceptions.remove': z.strictObject({ id: ruleId }),
  'exceptions.list': nothing,
  'tree.search': z.strictObject({
    entityId,
    query,
    limit: z.optional(z.int().check(z.gte(1), z.lte(200))),
  }),
  'rules.list': nothing,
  'doctor.check': nothing,
  'rules.reload': nothing,
  'policy.list': nothing,
  'policy.get': policyOnly,
  'policy.explain': z.strictObject({ id: z.optional(policyId), eventId: z.optional(decimal) }),
  'policy.validate': z.strictObject({ text: policyText, caret: z.optional(z.int().check(z.gte(0))) }),
  'policy.diff': z.strictObject({ id: policyId, text: z.optional(policyText) }),
  'policy.templates': nothing,
  'policy.except': z.strictObject({
    id: policyId,
    eventId: decimal,
    conditions: z.optional(
      z.array(z.string().check(z.minLength(1), z.maxLength(2000))).check(z.minLength(1), z.maxLength(16)),
    ),
    reason: z.optional(z.string().check(z.maxLength(500))),
    expires: z.optional(z.string().check(z.regex(/^\d{4}-\d{2}-\d{2}$/))),
  }),
  'policy.save': z.strictObject({
    text: policyText,
    base: z.optional(z.string().check(z.regex(/^[0-9a-f]{64}$/))),
  }),
  'policy.simulation': policyOnly,
  'policy.reload': nothing,
  'policy.step': z.strictObject({
    id: policyId,
    step: z.enum(['simulate', 'canary', 'activate', 'rollback', 'deprecate']),
    reason: z.optional(z.string().check(z.maxLength(500))),
  }),
  'policy.run': z.strictObject({
    id: policyId,
    days: z.optional(z.int().check(z.gte(1), z.lte(3650))),
    text: z.optional(policyText),
  }),
  'policy.cancel': policyOnly,
  'policy.thaw': z.strictObject({ cgroup: z.optional(absolutePath) }),
  'policy.release': z.strictObject({
    pid: z.optional(z.int().check(z.gte(1), z.lte(2 ** 31 - 1))),
    reason: z.optional(z.string().check(z.maxLength(500))),
  }),
  'policy.request': policyOnly,
  'policy.approve': z.strictObject({
    nonce: z.string().check(z.regex(/^[0-9a-f]{32}$/)),
    approval: z.strictObject({
      keyId: z.string().check(z.regex(/^[0-9a-f]{16}$/)),
      expiresMs: z.int().check(z.gte(0)),
      signature: z.string().check(z.regex(/^[A-Za-z0-9+/=]{1,128}$/)),
    }),
  }),
  'policy.approvers': z.strictObject({
    approvers: z
      .array(
        z.strictObject({
          name: z.string().check(z.minLength(1), z.maxLength(100)),
          key: z.string().check(z.minLength(1), z.maxLength(2000)),
        }),
      )
      .check(z.minLength(3), z.maxLength(5)),
  }),
  'dlp.indexes': nothing,
  'dlp.hits': dlpPage,
  'dlp.groups': z.strictObject({
    by: z.enum(['rule', 'file', 'process']),
    query: z.optional(query),
    sort: z.optional(z.enum(['title', 'files', 'hits', 'confidence', 'containment', 'last'])),
    up: z.optional(z.boolean()),
    limit: z.optional(z.int().check(z.gte(1), z.lte(1000))),
  }),
  'dlp.unscannable': dlpPage,
  'dlp.scan.progress': z.strictObject({ id: z.optional(hexId) }),
  'dlp.scan.list': nothing,
  'dlp.scan.folders': z.strictObject({ prefix: absolutePath }),
  'dlp.scan.start': z.strictObject({
    path: absolutePath,
    containers: z.optional(z.boolean()),
    oneFileSystem: z.optional(z.boolean()),
  }),
  'dlp.scan.cancel': z.strictObject({ id: hexId }),
  'dlp.quarantine.list': nothing,
  'dlp.quarantine.restore': z.strictObject({ id: hexId, to: z.optional(absolutePath) }),
  'dlp.quarantine.remove': z.strictObject({ id: hexId }),
  'console.url': nothing,
};

// A Map, so that names like `constructor` or `__proto__` find nothing.
const schemas = new Map<string, z.ZodMiniType>(Object.entries(SCHEMAS));

export function isKnownMethod(method: string): boolean {
  return schemas.has(method);
}

/** Checked parameters of `method`; absent ones count as `{}`. Throws `bad_request` naming every field at fault. */
export function checkParams(method: string, params: unknown): unknown {
  const result = schemas.get(method)!.safeParse(params === undefined ? {} : params);
  if (result.success) return result.data;
  const faults = result.error.issues.slice(0, 5).map(describeIssue);
  throw new ApiFailure('bad_request', `${method}: ${faults.join('; ')}`);
}

function describeIssue(issue: z.core.$ZodIssue): string {
  const field = issue.path.length > 0 ? issue.path.join('.') : 'params';
  switch (issue.code) {
    case 'invalid_type':
      return `${field} must be ${article(issue.expected === 'int' ? 'whole number' : issue.expected)}`;
    case 'too_big':
      return `${field} must be at most ${issue.maximum}${unit(issue.origin)}`;
    case 'too_small':
      return `${field} must be at least ${issue.minimum}${unit(issue.origin)}`;
    case 'invalid_format':
      if (field === 'entityId') return 'entityId must be pid-startNs, two decimal numbers';
      return issue.pattern === String(DECIMAL)
        ? `${field} must be a decimal number in a string`
        : `${field} has characters or a length that are not allowed there`;
    case 'invalid_value':
      return `${field} must be one of ${issue.values.map(String).join(', ')}`;
    case 'unrecognized_keys':
      return `${issue.keys.map((key) => JSON.stringify(key.slice(0, 64))).join(', ')} is not a parameter`;
    default:
      return `${field} is not valid`;
  }
}

function article(noun: string): string {
  return /^[aeiou]/.test(noun) ? `an ${noun}` : `a ${noun}`;
}

function unit(origin: string): string {
  if (origin === 'string') return ' characters long';
  return origin === 'array' ? ' entries long' : '';
}
