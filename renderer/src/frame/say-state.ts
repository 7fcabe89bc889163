/**
 * The state sentence in the reader's language. The agent says it in English, in parts set apart by " · "; each part it
 * knows is said again here, and one it does not know stays as the agent said it: true matters more than translated.
 */
import { type MessageKey, t, tn } from '../i18n/i18n.ts';
import { count } from '../ui/format.ts';

const SEPARATOR = ' · ';

/** Parts that are the same each time. */
const FIXED: Readonly<Record<string, MessageKey>> = {
  'Recording everything': 'state.everything',
  Recording: 'state.recording',
  'Recording security events only': 'state.securityOnly',
  'Recording with blind spots': 'state.blindSpots',
  'Replaying recorded events': 'state.replaying',
  'NOT recording: the security log cannot be written': 'state.notRecording',
  'disk nearly full': 'state.diskNearlyFull',
  'the timeline is behind': 'state.timelineBehind',
  'no space for the security log': 'state.noSpace.security',
  'no space for the observability log': 'state.noSpace.observability',
  'no space for the security and observability log': 'state.noSpace.both',
  'no space for the observability and security log': 'state.noSpace.both',
  eBPF: 'state.tier.tracepoint',
  'eBPF + LSM': 'state.tier.lsm',
  'proc connector': 'state.tier.proc-connector',
  '/proc polling': 'state.tier.proc-poll',
  replay: 'state.tier.replay',
};
const GAPS = /^([\d,]+) gaps? in 24 h(?: \(([\d,]+) records lost\))?$/;
const SCOPE = /^Recording (\w+:.+)$/;

const numberOf = (text: string): number => Number(text.replaceAll(',', ''));

function partOf(part: string): string | undefined {
  if (Object.hasOwn(FIXED, part)) return t(FIXED[part]!);
  const gaps = GAPS.exec(part);
  if (gaps) {
    const said = tn('state.gaps', numberOf(gaps[1]!));
    return gaps[2] === undefined ? said : `${said} ${t('state.lost', { n: count(numberOf(gaps[2])) })}`;
  }
  const scope = SCOPE.exec(part);
  return scope ? t('state.scope', { scope: scope[1]! }) : undefined;
}

/** Parts of a sentence that are not known here, for the test that keeps both sides together. */
export function unknownParts(sentence: string): string[] {
  return sentence.split(SEPARATOR).filter((part) => partOf(part) === undefined);
}

/** The agent's sentence in the language of the console. */
export function sayState(sentence: string): string {
  return sentence
    .split(SEPARATOR)
    .map((part) => partOf(part) ?? part)
    .join(SEPARATOR);
}
