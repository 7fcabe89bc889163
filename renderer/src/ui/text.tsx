/** Recorded text on screen: always neutralised, always isolated, long text cut in the middle or folded. */
import { Fragment, memo, useState } from 'react';
import { t } from '../i18n/i18n.ts';
import { count } from './format.ts';
import { clip, neutralise, segments, splitForEllipsis } from './neutralise.ts';

/** More than this is not drawn on one line anyway. */
const LINE_LIMIT = 600;
const BLOCK_LIMIT = 2000;

function Segments({ text }: { text: string }) {
  const parts = segments(text);
  if (parts.length === 1 && !parts[0]?.escaped) return text;
  return parts.map((part, at) =>
    part.escaped ? (
      <span key={at} className="safe-escape">
        {part.text}
      </span>
    ) : (
      <Fragment key={at}>{part.text}</Fragment>
    ),
  );
}

/** Neutralised text in a run of other text. */
export const SafeText = memo(function SafeText({
  text,
  limit = LINE_LIMIT,
}: {
  text: string;
  limit?: number;
}) {
  const shown = clip(text, limit);
  return (
    <bdi className="safe" dir="ltr">
      <Segments text={shown.text} />
      {shown.omitted > 0 ? '…' : null}
    </bdi>
  );
});

/** One line whose middle gives way first: both the start and the end of a path or command stay readable. */
export const MiddleEllipsis = memo(function MiddleEllipsis({ text }: { text: string }) {
  const { head, tail } = splitForEllipsis(
    text.length > LINE_LIMIT ? `${clip(text, LINE_LIMIT).text}…${text.slice(-40)}` : text,
  );
  return (
    <bdi
      className="safe ellipsis"
      dir="ltr"
      title={text.length > 36 ? neutralise(clip(text, 1000).text) : undefined}
    >
      <span className="ellipsis-head">
        <Segments text={head} />
      </span>
      {tail === '' ? null : (
        <span className="ellipsis-tail">
          <Segments text={tail} />
        </span>
      )}
    </bdi>
  );
});

/** Text of any length: folded, with the whole one click away. `children` draws what is shown, plain by default. */
export function LongText({ text, render }: { text: string; render?: (shown: string) => React.ReactNode }) {
  const [open, setOpen] = useState(false);
  const shown = open ? { text, omitted: 0 } : clip(text, BLOCK_LIMIT);
  return (
    <>
      {render ? render(shown.text) : <SafeText text={shown.text} limit={shown.text.length} />}
      {text.length > BLOCK_LIMIT ? (
        <>
          {open ? ' ' : '… '}
          <button type="button" className="link-button small" onClick={() => setOpen(!open)}>
            {open ? t('common.showLess') : t('common.showAll', { n: count(text.length) })}
          </button>
        </>
      ) : null}
    </>
  );
}
