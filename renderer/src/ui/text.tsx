/** Recorded text on screen: always neutralised, always isolated, long text cut in the middle or folded. */
import { Fragment, memo, useState } from 'react';
import { t } from '../i18n/i18n.ts';
import { count } from './format.ts';
import { type Segment, clip, neutralise, segments, splitForEllipsis } from './neutralise.ts';

/** More than this is not drawn on one line anyway. */
const LINE_LIMIT = 600;
const BLOCK_LIMIT = 2000;

function Parts({ parts }: { parts: readonly Segment[] }) {
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
      <Parts parts={segments(shown.text)} />
      {shown.omitted > 0 ? '…' : null}
    </bdi>
  );
});

/** One line whose middle gives way first: both the start and the end of a path or command stay readable. */
export const MiddleEllipsis = memo(function MiddleEllipsis({ text }: { text: string }) {
  const { head, tail } = splitForEllipsis(
    segments(text.length > LINE_LIMIT ? `${clip(text, LINE_LIMIT).text}…${text.slice(-40)}` : text),
  );
  return (
    <bdi
      className="safe ellipsis"
      dir="ltr"
      title={text.length > 36 ? neutralise(clip(text, 1000).text) : undefined}
    >
      <span className="ellipsis-head">
        <Parts parts={head} />
      </span>
      {tail.length === 0 ? null : (
        <span className="ellipsis-tail">
          <Parts parts={tail} />
        </span>
      )}
    </bdi>
  );
});

/** One line cut at its end. */
export const EndEllipsis = memo(function EndEllipsis({ text }: { text: string }) {
  return (
    <bdi
      className="safe end-ellipsis"
      dir="ltr"
      title={text.length > 18 ? neutralise(clip(text, 1000).text) : undefined}
    >
      <Parts parts={segments(clip(text, 200).text)} />
    </bdi>
  );
});

/** Text of any length: folded, with the whole one click away. `render` draws what is shown, plain by default. */
export function LongText({
  text,
  render,
  limit = BLOCK_LIMIT,
}: {
  text: string;
  render?: (shown: string) => React.ReactNode;
  limit?: number;
}) {
  const [open, setOpen] = useState(false);
  const shown = open ? { text, omitted: 0 } : clip(text, limit);
  return (
    <>
      {render ? render(shown.text) : <SafeText text={shown.text} limit={shown.text.length} />}
      {text.length > limit ? (
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
