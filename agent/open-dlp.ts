/** Puts data loss prevention together for an agent. Without an index it is a check of a folder each second. */
import { join } from 'node:path';
import type { CoreAddon } from '../native-addon/index.ts';
import type { ConfigValues } from './config-options.ts';
import { DlpQuarantine } from './dlp-quarantine.ts';
import { DlpScans } from './dlp-scans.ts';
import { DlpService } from './dlp-service.ts';
import type { GuardianEnforcer } from './enforce/enforcer.ts';
import type { EngineOpener } from './dlp-indexes.ts';
import { wallNowNs } from './host-info.ts';
import type { SentinelEvent } from './event.ts';
import type { Identity } from './identity/identity.ts';
import type { Log } from './log.ts';
import type { Pipeline } from './pipeline.ts';
import type { SensorTier } from './sensors/types.ts';

export interface Dlp {
  service: DlpService;
  scans: DlpScans;
  quarantine: DlpQuarantine;
  settings: ConfigValues;
  /** Why the sensor does not tell of written files; empty when it does. */
  whyNoFiles: string;
}

export function openDlp(parts: {
  dataDir: string;
  settings: ConfigValues;
  identity: Identity;
  core: CoreAddon | undefined;
  pipeline: Pick<Pipeline, 'submit' | 'useListener'>;
  tier: SensorTier;
  open: EngineOpener;
  log: Log;
  enforcer: Pick<GuardianEnforcer, 'useLook' | 'useCut' | 'forgetLooks'>;
  /** Whether a policy is about events of this kind. */
  hasPoliciesFor: (type: string, action: string) => boolean;
  complete: (event: SentinelEvent) => void;
}): Dlp {
  const { dataDir, settings, identity, core, pipeline, tier, open, log, enforcer } = parts;
  const submit: Pipeline['submit'] = (event) => pipeline.submit(event);
  const service = new DlpService({
    dataDir,
    settings,
    open,
    submit,
    listen: (listener) => pipeline.useListener(listener),
    nowNs: wallNowNs,
    onProblem: (problem) => log.warn({}, problem),
    onIndexes: () => enforcer.forgetLooks(),
    wantsReads: () => parts.hasPoliciesFor('dlp', 'read'),
    complete: parts.complete,
  });
  enforcer.useLook((fd, path) => service.lookInto(fd, path));
  enforcer.useCut((act) => service.cutOff(act));
  const tells = tier === 'lsm' || tier === 'tracepoint' || tier === 'replay';
  return {
    service,
    scans: new DlpScans(service, join(dataDir, 'dlp-scans.json')),
    quarantine: new DlpQuarantine({ dataDir, identity, core, submit, nowNs: wallNowNs }),
    settings,
    whyNoFiles: tells ? '' : `the ${tier} sensor does not tell of written files`,
  };
}
