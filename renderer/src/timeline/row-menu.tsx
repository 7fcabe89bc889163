/** The menu of a row: its values, each with what can be done with it. The keyboard's way to what a click on a value does. */
import { DropdownMenu } from 'radix-ui';
import type { EventJson } from '../../../agent/api/contract.ts';
import { t } from '../i18n/i18n.ts';
import { usePrefs } from '../prefs.ts';
import { Icon } from '../ui/icon.tsx';
import { menuHost } from '../ui/menu-host.ts';
import { clip, neutralise } from '../ui/neutralise.ts';
import { ValueItems } from '../ui/value.tsx';
import { cellOf } from './columns.ts';
import { fieldName } from './fields.ts';
import { currentRow } from './list-keys.ts';
import { eventOf } from './page-window.ts';
import { type Ask, describe } from './sentence.ts';
import { useTimeline } from './timeline-state.ts';

/** A value in a menu is a line. */
const SHOWN = 60;

/** What a row shows that can be asked for: the sentence's parts, then the columns, each once. */
export function valuesOf(event: EventJson, columns: readonly string[]): Ask[] {
  const found = new Map<string, Ask>();
  const cells = columns.map((field) => cellOf(event, field));
  for (const ask of [...describe(event).map((part) => part.ask), ...cells]) {
    if (ask) found.set(`${ask.field}=${ask.value}`, ask);
  }
  return [...found.values()];
}

/** Opens the menu of the row that keys act on, below it. */
export function openRowMenu(eventId = currentRow(), at?: { x: number; y: number }): boolean {
  const { window } = useTimeline.getState();
  const event = eventId === undefined ? undefined : eventOf(window, eventId);
  if (!event) return false;
  const box = document.getElementById(`event-${event.eventId}`)?.getBoundingClientRect();
  const x = at?.x ?? (box?.left ?? 0) + 120;
  const y = at?.y ?? box?.bottom ?? 0;
  useTimeline.setState({ rowMenu: { event, x, y } });
  return true;
}

function Value({ field, value }: Ask) {
  return (
    <DropdownMenu.Sub>
      <DropdownMenu.SubTrigger className="menu-item">
        <span className="dim">{fieldName(field)}</span> {neutralise(clip(value, SHOWN).text)}
        <span className="menu-hint">
          <Icon name="right" />
        </span>
      </DropdownMenu.SubTrigger>
      <DropdownMenu.Portal container={menuHost()}>
        <DropdownMenu.SubContent className="menu">
          <ValueItems field={field} value={value} />
        </DropdownMenu.SubContent>
      </DropdownMenu.Portal>
    </DropdownMenu.Sub>
  );
}

export function RowMenu() {
  const open = useTimeline((state) => state.rowMenu);
  const columns = usePrefs((prefs) => prefs.columns);
  if (!open) return null;
  const close = (): void => useTimeline.setState({ rowMenu: undefined });
  return (
    <DropdownMenu.Root open modal={false} onOpenChange={(stay) => !stay && close()}>
      <DropdownMenu.Trigger asChild>
        <span className="menu-anchor" style={{ left: open.x, top: open.y }} aria-hidden="true" />
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal container={menuHost()}>
        <DropdownMenu.Content
          className="menu"
          align="start"
          aria-label={t('list.rowMenu')}
          onCloseAutoFocus={(event) => {
            event.preventDefault();
            document.getElementById('event-list')?.focus();
          }}
        >
          {valuesOf(open.event, columns).map((ask) => (
            <Value key={`${ask.field}=${ask.value}`} {...ask} />
          ))}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}
