/** How the list and the histogram look: columns, row height, time, what the bars are divided by. */
import { DropdownMenu } from 'radix-ui';
import { t } from '../i18n/i18n.ts';
import {
  DEFAULT_COLUMNS,
  DENSITIES,
  STACKINGS,
  TIME_STYLES,
  setPrefs,
  toggleColumn,
  usePrefs,
} from '../prefs.ts';
import { Icon } from '../ui/icon.tsx';
import { MenuCheck, MenuChoice, stay } from '../ui/menu-choice.tsx';
import { menuHost } from '../ui/menu-host.ts';
import { USUAL_COLUMNS, columnName } from './columns.ts';
import { refreshOverview, setFolding } from './timeline-store.ts';

function Columns() {
  const columns = usePrefs((prefs) => prefs.columns);
  const offered = [...USUAL_COLUMNS, ...columns.filter((field) => !USUAL_COLUMNS.includes(field))];
  return (
    <DropdownMenu.Group>
      <DropdownMenu.Label className="menu-title">{t('display.columns')}</DropdownMenu.Label>
      <div className="menu-columns">
        {offered.map((field) => (
          <DropdownMenu.CheckboxItem
            key={field}
            className="menu-item"
            checked={columns.includes(field)}
            onCheckedChange={() => toggleColumn(field)}
            onSelect={stay}
          >
            <MenuCheck />
            {columnName(field)}
          </DropdownMenu.CheckboxItem>
        ))}
      </div>
      <DropdownMenu.Item
        className="menu-item"
        onSelect={(event) => {
          stay(event);
          setPrefs({ columns: [...DEFAULT_COLUMNS] });
        }}
      >
        <span className="menu-check" />
        {t('display.reset')}
      </DropdownMenu.Item>
      <p className="menu-foot">{t('display.anyField')}</p>
    </DropdownMenu.Group>
  );
}

export function DisplayMenu() {
  const prefs = usePrefs();
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger className="button button-quiet">
        <Icon name="columns" /> {t('display.label')} <Icon name="down" />
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal container={menuHost()}>
        <DropdownMenu.Content className="menu menu-display" align="end" sideOffset={4}>
          <Columns />
          <div className="menu-choices">
            <MenuChoice
              title={t('settings.density')}
              value={prefs.density}
              options={DENSITIES}
              name={(option) => t(`density.${option}`)}
              onChange={(density) => setPrefs({ density })}
            />
            <MenuChoice
              title={t('display.time')}
              value={prefs.timeStyle}
              options={TIME_STYLES}
              name={(option) => t(`display.time.${option}`)}
              onChange={(timeStyle) => setPrefs({ timeStyle })}
            />
            <MenuChoice
              title={t('display.stack')}
              value={prefs.stacking}
              options={STACKINGS}
              name={(option) => t(`display.stack.${option}`)}
              onChange={(stacking) => {
                setPrefs({ stacking });
                void refreshOverview(false);
              }}
            />
            <DropdownMenu.CheckboxItem
              className="menu-item"
              checked={prefs.foldRepeats}
              onCheckedChange={setFolding}
              onSelect={stay}
            >
              <MenuCheck />
              {t('display.fold')}
            </DropdownMenu.CheckboxItem>
          </div>
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}
