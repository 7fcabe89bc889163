/** Parameters of every method, checked before a service sees them. Bounds are here; meanings are in the contract. */
import * as z from 'zod/mini';
import type { MethodName, Methods, SubscriptionName, Subscriptions } from './contract.ts';
import { ApiFailure } from './services.ts';

const MAX_QUERY_CHARS = 8192;
const MAX_PAGE_EVENTS = 1000;

const query = z.string().check(z.maxLength(MAX_QUERY_CHARS));
const cursor = z.string().check(z.minLength(1), z.maxLength(256));
const decimal = z.string().check(z.regex(/^\d{1,20}$/));
const entityId = z.string().check(z.regex(/^\d{1,10}-\d{1,20}$/));
const limit = z.int().check(z.gte(1), z.lte(MAX_PAGE_EVENTS));
const nothing = z.strictObject({});

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
  'events.gaps': z.strictObject({
    fromNs: z.optional(decimal),
    toNs: z.optional(decimal),
    limit: z.optional(limit),
  }),
  'process.tree': z.strictObject({
    pid: z.int().check(z.gte(0), z.lte(2 ** 31 - 1)),
    startNs: z.optional(decimal),
  }),
  'tree.ancestors': z.strictObject({ entityId }),
  'tree.children': z.strictObject({ entityId, limit: z.optional(limit), after: z.optional(cursor) }),
  'rules.list': nothing,
  'rules.reload': nothing,
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
      return field === 'entityId'
        ? 'entityId must be pid-startNs, two decimal numbers'
        : `${field} must be a decimal number in a string`;
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
