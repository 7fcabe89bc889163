/** A look at a folder, asked for here: the path, completed by the agent, and what to leave out. */
import { useState } from 'react';
import type { DlpScanJson } from '../../../agent/api/contract.ts';
import { AgentError } from '../agent-client.ts';
import { t } from '../i18n/i18n.ts';
import { sayAgent } from '../i18n/say-agent.ts';
import { agent } from '../store.ts';
import { SafeText } from '../ui/text.tsx';
import { useLoad } from '../use-load.ts';
import { useDlp } from './dlp-store.ts';
import { ScanList } from './scan-list.tsx';

/** Folders whose paths begin like what was typed, each with the slash that leads on. */
function useFolders(path: string, wanted: boolean): readonly string[] {
  const prefix = wanted && path.startsWith('/') ? path : '';
  const { data } = useLoad(`folders ${prefix}`, async (signal) =>
    prefix === '' ? { folders: [] } : agent().call('dlp.scan.folders', { prefix }, signal),
  );
  return data?.folders ?? [];
}

function Option({
  name,
  label,
  disabled,
}: {
  name: 'containers' | 'oneFileSystem';
  label: string;
  disabled: boolean;
}) {
  const checked = useDlp((state) => state[name]);
  return (
    <label className="dlp-option">
      <input
        type="checkbox"
        checked={checked}
        disabled={disabled}
        onChange={(event) => useDlp.setState({ [name]: event.target.checked })}
      />{' '}
      {label}
    </label>
  );
}

export function ScanForm({
  scans,
  canScan,
  hasIndex,
  changed,
}: {
  scans: readonly DlpScanJson[];
  canScan: boolean;
  hasIndex: boolean;
  changed: () => void;
}) {
  const { path, containers, oneFileSystem } = useDlp();
  const [refusal, setRefusal] = useState('');
  const [focus, setFocus] = useState(false);
  const folders = useFolders(path, focus && canScan);
  const act = (work: Promise<unknown>): void => {
    setRefusal('');
    work.then(changed, (error: unknown) =>
      setRefusal(error instanceof AgentError ? error.message : String(error)),
    );
  };
  const start = (): void => {
    const wanted = path.trim();
    if (wanted === '') return;
    if (wanted.startsWith('/'))
      act(agent().call('dlp.scan.start', { path: wanted, containers, oneFileSystem }));
    else setRefusal(t('dlp.scan.absolute'));
  };
  const off = !canScan || !hasIndex;
  return (
    <section className="dlp-section" aria-labelledby="dlp-scan">
      <h2 id="dlp-scan">{t('dlp.scan')}</h2>
      <form
        className="dlp-scan"
        onSubmit={(event) => {
          event.preventDefault();
          start();
        }}
      >
        <label className="dlp-scan-path">
          <span>{t('dlp.scan.path')}</span>
          <input
            type="text"
            className="text-input mono"
            list="dlp-folders"
            value={path}
            placeholder="/home"
            spellCheck={false}
            autoComplete="off"
            disabled={off}
            aria-invalid={refusal === '' ? undefined : true}
            aria-describedby="dlp-scan-note"
            onFocus={() => setFocus(true)}
            onBlur={() => setFocus(false)}
            onChange={(event) => {
              setRefusal('');
              useDlp.setState({ path: event.target.value });
            }}
          />
          <datalist id="dlp-folders">
            {folders.map((folder) => (
              <option key={folder} value={folder} />
            ))}
          </datalist>
        </label>
        <button type="submit" className="button" disabled={off || path.trim() === ''}>
          {t('dlp.scan.start')}
        </button>
      </form>
      {off ? null : (
        <div className="dlp-options small">
          <Option name="containers" label={t('dlp.scan.containers')} disabled={off} />
          <Option name="oneFileSystem" label={t('dlp.scan.oneFileSystem')} disabled={off} />
        </div>
      )}
      {refusal === '' ? null : (
        <p role="alert" className="dlp-refused">
          <SafeText text={sayAgent(refusal)} limit={400} />
        </p>
      )}
      <p className="small dim" id="dlp-scan-note">
        {!canScan ? t('dlp.scan.notAllowed') : hasIndex ? t('dlp.scan.links') : t('dlp.scan.noIndex')}
      </p>
      <ScanList
        scans={scans}
        cancel={canScan ? (id) => act(agent().call('dlp.scan.cancel', { id })) : undefined}
      />
    </section>
  );
}
