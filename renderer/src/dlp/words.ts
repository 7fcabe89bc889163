/** Words of data loss prevention in the reader's language; what a newer agent says is shown as it is. */
import { t, tryMessage } from '../i18n/i18n.ts';
import { percent } from '../ui/format.ts';

export function destinationText(destination: string): string {
  return tryMessage(`dlp.destination.${destination}`) ?? destination.replaceAll('_', ' ');
}

export function reasonText(code: string | undefined): string {
  if (code === undefined) return t('common.unknown');
  return tryMessage(`dlp.reason.${code}`) ?? code.replaceAll('_', ' ');
}

export function triggerText(trigger: string): string {
  return tryMessage(`dlp.trigger.${trigger}`) ?? trigger.replaceAll('_', ' ');
}

/** A share of 0 to 1. */
export function shareText(share: number): string {
  return percent(Math.round(share * 100));
}
