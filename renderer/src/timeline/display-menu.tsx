/** How the list and the histogram look: columns, row height, time, what the bars are divided by. */
import { DropdownMenu } from 'radix-ui';
import { type MessageKey, t } from '../i18n/i18n.ts';
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
import { menuHost } from '../ui/menu-host.ts';
import { USUAL_COLUMNS, columnName } from './columns.ts';
import { refreshOverview } from './timeline-store.ts';

const stay = (event: Event): void => event.preventDefault();

function Check() {
  return (
    <span className="menu-check">
      <DropdownMenu.ItemIndicator>
        <Icon name="check" />
      </DropdownMenu.ItemIndicator>
    </span>
  );
}

function Choice<T extends string>({
  title,
  value,
  options,
  name,
  onChange,
}: {
  title: MessageKey;
  value: T;
  options: readonly T[];
  name: (option: T) => MessageKey;
  onChange: (option: T) => void;
}) {
  return (
    <DropdownMenu.Group>
      <DropdownMenu.Label className="menu-title">{t(title)}</DropdownMenu.Label>
      <DropdownMenu.RadioGroup value={value} onValueChange={(next) => onChange(next as T)}>
        {options.map((option) => (
          <DropdownMenu.RadioItem key={option} value={option} className="menu-item" onSelect={stay}>
            <Check />
            {t(name(option))}
          </DropdownMenu.RadioItem>
        ))}
      </DropdownMenu.RadioGroup>
    </DropdownMenu.Group>
  );
}

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
            <Check />
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
            <Choice
              title="settings.density"
              value={prefs.density}
              options={DENSITIES}
              name={(option) => `density.${option}`}
              onChange={(density) => setPrefs({ density })}
            />
            <Choice
              title="display.time"
              value={prefs.timeStyle}
              options={TIME_STYLES}
              name={(option) => `display.time.${option}`}
              onChange={(timeStyle) => setPrefs({ timeStyle })}
            />
            <Choice
              title="display.stack"
              value={prefs.stacking}
              options={STACKINGS}
              name={(option) => `display.stack.${option}`}
              onChange={(stacking) => {
                setPrefs({ stacking });
                void refreshOverview(false);
              }}
            />
          </div>
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}
