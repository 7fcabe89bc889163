/** How much of something there is, as a bar with its number beside it. */
import { shareText } from './words.ts';

export function ShareBar({ share, label }: { share: number; label: string }) {
  return (
    <span className="share">
      <span
        className="share-bar"
        role="meter"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(share * 100)}
      >
        <span className="share-fill" style={{ width: `${Math.min(1, share) * 100}%` }} />
      </span>
      <span className="num">{shareText(share)}</span>
    </span>
  );
}
