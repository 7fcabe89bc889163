/** The keyboard map (`?`). */
import { t } from '../i18n/i18n.ts';
import { setPrefs, usePrefs } from '../prefs.ts';
import { showOverlay, useApp } from '../store.ts';
import { Kbd, Modal } from '../ui/primitives.tsx';
import { KEY_GROUPS } from './keys.ts';

export function KeyMap() {
  const open = useApp((state) => state.overlay.keys);
  const singleKeys = usePrefs((prefs) => prefs.singleKeys);
  return (
    <Modal title={t('keys.title')} open={open} onClose={() => showOverlay({ keys: false })}>
      <div className="modal-body key-map">
        {KEY_GROUPS.map((group) => (
          <section key={group.title}>
            <h3>{t(group.title)}</h3>
            <dl>
              {group.keys.map(([keys, what]) => (
                <div key={what} className="key-row">
                  <dt>
                    <Kbd keys={keys} />
                  </dt>
                  <dd>{t(what)}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
        <label className="key-single">
          <input
            type="checkbox"
            checked={singleKeys}
            onChange={(event) => setPrefs({ singleKeys: event.target.checked })}
          />
          <span>
            {t('keys.single')}
            <span className="dim small">{t('keys.singleHelp')}</span>
          </span>
        </label>
      </div>
    </Modal>
  );
}
