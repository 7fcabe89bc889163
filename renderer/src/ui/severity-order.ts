/** Severities from harmless to worst. */
import type { Severity } from '../../../agent/api/contract.ts';

export const SEVERITY_ORDER: readonly Severity[] = ['info', 'low', 'medium', 'high', 'critical'];

export function rank(severity: Severity): number {
  return SEVERITY_ORDER.indexOf(severity);
}
