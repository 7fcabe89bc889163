/** Where the event lies in the log and what vouches for it. */
import type { EventDetail } from '../../../../agent/api/contract.ts';
import { t } from '../../i18n/i18n.ts';
import { absoluteTime, count } from '../../ui/format.ts';
import { CodeLine } from '../../ui/primitives.tsx';
import { Value } from '../../ui/value.tsx';
import { useApp } from '../../store.ts';
import { shellCommand } from './copy-as.ts';
import { VerifyLog } from './verify-log.tsx';

export function ProofTab({ detail, complete }: { detail: EventDetail; complete: boolean }) {
  const dataDir = useApp((state) => state.health?.dataDir);
  const { proof } = detail;
  if (!proof) {
    return complete ? (
      <div className="quiet">
        <p>{t('detail.proof.none')}</p>
        <p className="dim">{t('detail.proof.noneMeaning')}</p>
      </div>
    ) : (
      <p className="dim quiet">{t('common.loading')}</p>
    );
  }
  const { checkpoint } = proof;
  return (
    <>
      <p className="summary-sentence">
        {t('detail.proof.sentence', {
          seq: count(proof.seq),
          lane: t(`lane.${proof.lane}`),
          commit: count(proof.commitNo),
          segment: proof.segment,
        })}
      </p>
      <dl className="facts">
        <dt>{t('detail.proof.chain')}</dt>
        <dd>
          <Value value={proof.chain} label={t('detail.proof.chain')} />
          <p className="dimmer small">{t('detail.proof.chainMeaning')}</p>
        </dd>
        <dt>{t('detail.proof.checkpoint')}</dt>
        <dd>
          {checkpoint ? (
            <>
              <Value value={checkpoint.signature} label={t('detail.proof.signature')} />
              <p className="dimmer small">
                {t('detail.proof.checkpointMeaning', {
                  time: absoluteTime(checkpoint.tsNs),
                  seq: count(checkpoint.seq),
                  key: checkpoint.keyId,
                })}
              </p>
            </>
          ) : (
            <p className="dim">{t('detail.proof.unsigned')}</p>
          )}
        </dd>
      </dl>
      <VerifyLog proof={proof} />
      <section className="detail-section">
        <p className="dim">{t('detail.proof.verify')}</p>
        <CodeLine
          code={shellCommand([
            'sentinel',
            'wal',
            'verify',
            ...(dataDir === undefined ? [] : ['--data', dataDir]),
          ])}
        />
      </section>
    </>
  );
}
