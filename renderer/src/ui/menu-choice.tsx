/** The parts of a menu of settings: a mark on what is chosen, and a choice of one among a few. */
import { DropdownMenu } from 'radix-ui';
import { Icon } from './icon.tsx';

/** The menu stays open: settings are tried one after the other. */
export const stay = (event: Event): void => event.preventDefault();

export function MenuCheck() {
  return (
    <span className="menu-check">
      <DropdownMenu.ItemIndicator>
        <Icon name="check" />
      </DropdownMenu.ItemIndicator>
    </span>
  );
}

export function MenuChoice<T extends string>({
  title,
  value,
  options,
  name,
  onChange,
}: {
  title: string;
  value: T;
  options: readonly T[];
  name: (option: T) => string;
  onChange: (option: T) => void;
}) {
  return (
    <DropdownMenu.Group>
      <DropdownMenu.Label className="menu-title">{title}</DropdownMenu.Label>
      <DropdownMenu.RadioGroup value={value} onValueChange={(next) => onChange(next as T)}>
        {options.map((option) => (
          <DropdownMenu.RadioItem key={option} value={option} className="menu-item" onSelect={stay}>
            <MenuCheck />
            {name(option)}
          </DropdownMenu.RadioItem>
        ))}
      </DropdownMenu.RadioGroup>
    </DropdownMenu.Group>
  );
}
