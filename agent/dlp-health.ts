/** How looking for protected data is: what Health and `sentinel status` say of it. */
import type { DlpHealthJson } from './api/contract-dlp.ts';
import type { Dlp } from './open-dlp.ts';

export function dlpHealth({ service, settings }: Pick<Dlp, 'service' | 'settings'>): DlpHealthJson {
  const { indexes, cost, totals } = service;
  const built = (indexes.engine?.info() ?? []).map(({ createdMs }) => createdMs);
  const health: DlpHealthJson = {
    state: indexes.engine !== undefined ? 'watching' : indexes.problems.length > 0 ? 'failed' : 'off',
    indexes: built.length,
    ruleFiles: indexes.rules.length,
    problems: [...indexes.problems],
    queue: { waiting: service.queued, running: service.running, max: settings['dlp.queueFiles'] },
    totals: { ...totals },
    bytes: cost.bytes,
    tookMs: Math.round(cost.tookMs),
  };
  if (built.length > 0) health.oldestMs = Math.min(...built);
  if (cost.lastLookNs > 0n) health.lastLookNs = cost.lastLookNs.toString();
  if (cost.lastSkippedNs > 0n) health.lastSkippedNs = cost.lastSkippedNs.toString();
  return health;
}
