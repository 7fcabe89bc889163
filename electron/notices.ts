/**
 * Tells the person at the machine what a policy stopped: by which policy, with what guarantee, and on click why. Never a
 * question, no sound, at most one each few seconds; what came in between is counted in the next. While the console is in
 * front it tells by itself.
 */
import type { Notification } from 'electron';
import type { PolicyActJson } from '../agent/api/contract.ts';

/** What is used of Electron. */
export interface NoticeHost {
  Notification: {
    new (options: { title: string; body: string; silent: boolean }): Pick<Notification, 'show' | 'on'>;
    isSupported(): boolean;
  };
}

export interface NoticeOptions {
  /** BCP 47, for example es-MX. */
  locale: string;
  /** The console is in front of the person. */
  isConsoleFocused: () => boolean;
  /** Opens the console at an address: `#/...`. */
  open: (address: string) => void;
  nowMs?: () => number;
}

const QUIET_MS = 5000;
const MAX_BODY = 300;

const TEXTS = {
  en: {
    applied: 'Stopped by a policy',
    failed: 'A policy could not act',
    by: 'Policy',
    more: 'more since the last notice',
    guarantees: {} as Record<string, string>,
  },
  es: {
    applied: 'Una política lo detuvo',
    failed: 'Una política no pudo actuar',
    by: 'Política',
    more: 'más desde el último aviso',
    guarantees: {
      prevented: 'impedido',
      'killed before its first instruction': 'terminado antes de su primera instrucción',
      'killed after start': 'terminado después de empezar',
    } as Record<string, string>,
  },
} as const;

/** Where the console says why. */
export function addressOf({ eventId }: PolicyActJson): string {
  return `#/timeline?e=${encodeURIComponent(eventId)}&tab=why`;
}

/** Returns how to tell of an act. */
export function createNotices(host: NoticeHost, options: NoticeOptions): (act: PolicyActJson) => void {
  const texts = options.locale.startsWith('es') ? TEXTS.es : TEXTS.en;
  const nowMs = options.nowMs ?? Date.now;
  let lastMs = -Infinity;
  let held = 0;
  // A notification that nothing refers to may be collected before it is clicked.
  let shown: unknown;
  return (act) => {
    if (options.isConsoleFocused() || !host.Notification.isSupported()) return;
    const now = nowMs();
    if (now - lastMs < QUIET_MS) {
      held += 1;
      return;
    }
    lastMs = now;
    const what = [act.program, act.what].filter((part) => part !== '').join(' · ');
    const outcome =
      act.state === 'failed' ? (act.error ?? '') : (texts.guarantees[act.guarantee] ?? act.guarantee);
    const lines = [
      what,
      `${texts.by}: ${act.policyTitle === '' ? act.policyId : act.policyTitle}`,
      outcome,
      held > 0 ? `+${held} ${texts.more}` : '',
    ];
    held = 0;
    const body = lines
      .filter((line) => line !== '')
      .map((line) => (line.length > MAX_BODY ? `${line.slice(0, MAX_BODY)}…` : line))
      .join('\n');
    const notification = new host.Notification({ title: texts[act.state], body, silent: true });
    notification.on('click', () => options.open(addressOf(act)));
    notification.show();
    shown = notification;
    void shown;
  };
}
