/** The process and those it descends from, oldest first. */
import type { EventDetail, ProcessRefJson } from '../../../../agent/api/contract.ts';
import { t } from '../../i18n/i18n.ts';
import { LongText, SafeText } from '../../ui/text.tsx';
import { Value } from '../../ui/value.tsx';
import { entityOf, showProcess } from '../../processes/process-store.ts';
import { commandLine } from '../sentence.ts';

/** An ancestor's command line is context: its beginning is enough until asked. */
const COMMAND_LIMIT = 160;

function Node({ process, depth, own }: { process: ProcessRefJson; depth: number; own: boolean }) {
  const command = commandLine(process.argv ?? [], 4000);
  return (
    <li className="ancestor" data-own={own || undefined} style={{ paddingLeft: Math.min(depth, 12) * 12 }}>
      <p className="ancestor-head">
        <button
          type="button"
          className="ancestor-name"
          title={t('processes.show')}
          onClick={() => showProcess(entityOf(process))}
        >
          <SafeText text={process.name} limit={80} />
        </button>
        <Value value={String(process.pid)} label={t('list.pid')} field="pid" />
        {process.user === undefined ? null : (
          <Value value={process.user} label={t('field.user')} field="user" />
        )}
        {own ? <span className="tag">{t('detail.ancestry.this')}</span> : null}
      </p>
      {command === '' ? null : (
        <p className="mono dim ancestor-command">
          <LongText text={command} limit={COMMAND_LIMIT} />
        </p>
      )}
    </li>
  );
}

export function AncestryTab({ detail }: { detail: EventDetail }) {
  const chain = detail.ancestors.toReversed();
  const own = detail.event.process;
  return (
    <>
      {chain.length === 0 ? (
        <div className="quiet">
          <p>{t('detail.ancestry.none')}</p>
          <p className="dim">{t('detail.ancestry.noneMeaning')}</p>
        </div>
      ) : null}
      <ol className="ancestry">
        {chain.map((process, depth) => (
          <Node key={`${process.pid}-${process.startNs}`} process={process} depth={depth} own={false} />
        ))}
        {own ? <Node process={own} depth={chain.length} own /> : null}
      </ol>
    </>
  );
}
