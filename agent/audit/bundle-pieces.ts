/** Reads the frames of a bundle that are JSON; whoever wrote them may not have meant well. */
import {
  FORMAT,
  FORMAT_VERSION,
  type Closing,
  type ClosingStatement,
  type Opening,
} from './bundle-format.ts';

/** The opening; undefined when it is not that of a bundle of this version. */
export function readOpening(body: Buffer): Opening | undefined {
  const opening = json(body) as Opening | undefined;
  const named = typeof opening?.deviceId === 'string' && typeof opening.createdNs === 'string';
  return named && opening.format === FORMAT && opening.version === FORMAT_VERSION ? opening : undefined;
}

/** A closing and its statement; undefined when the shape is not that of one. */
export function readClosing(
  body: Buffer,
): { statement: ClosingStatement; text: string; keyId: string; signature: string } | undefined {
  const { statement: text, keyId, signature } = (json(body) ?? {}) as Partial<Closing>;
  if (typeof text !== 'string' || typeof keyId !== 'string' || typeof signature !== 'string')
    return undefined;
  const value = json(Buffer.from(text, 'utf8')) as Partial<ClosingStatement> | undefined;
  if (!value || !Array.isArray(value.pieces) || !Array.isArray(value.unknownPolicies)) return undefined;
  const isObject = (one: unknown): boolean => typeof one === 'object' && one !== null;
  if (!value.pieces.every(isObject) || !isObject(value.lanes)) return undefined;
  if (!Object.values(value.lanes ?? {}).every(isObject)) return undefined;
  if (!Array.isArray(value.laterGaps ?? []) || !(value.laterGaps ?? []).every(isLaterGap)) return undefined;
  return { statement: value as ClosingStatement, text, keyId, signature };
}

function isLaterGap(one: unknown): boolean {
  const { seq, statedNs, payload } = (one ?? {}) as Record<string, unknown>;
  return typeof seq === 'number' && typeof statedNs === 'string' && typeof payload === 'string';
}

function json(body: Buffer): unknown {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
