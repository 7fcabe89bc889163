/** The command palette (Ctrl+K): every command by name, and any text as a query. */
import { useEffect, useState } from 'react';
import { t } from '../i18n/i18n.ts';
import { showOverlay, useApp } from '../store.ts';
import { runQuery } from '../timeline/timeline-store.ts';
import { Modal } from '../ui/primitives.tsx';
import { type Command, commands } from './commands.ts';

/** Letters of `typed` in order somewhere in `title`: true, and better the earlier and closer they stand. */
export function score(title: string, typed: string): number {
  const text = title.toLowerCase();
  let at = 0;
  let cost = 0;
  for (const letter of typed.toLowerCase()) {
    const found = text.indexOf(letter, at);
    if (found < 0) return -1;
    cost += found - at;
    at = found + 1;
  }
  return 1000 - cost;
}

function List({ typed, onDone }: { typed: string; onDone: () => void }) {
  const [active, setActive] = useState(0);
  const matching = commands()
    .map((command) => ({ command, points: score(command.title, typed.trim()) }))
    .filter(({ points }) => points >= 0)
    .sort((a, b) => b.points - a.points)
    .map(({ command }) => command);
  const query: Command[] =
    typed.trim() === ''
      ? []
      : [{ id: 'query', title: t('palette.query', { query: typed.trim() }), run: () => runQuery(typed) }];
  const list = [...matching.slice(0, 14), ...query];
  const at = Math.min(active, list.length - 1);
  const run = (command: Command | undefined): void => {
    onDone();
    command?.run();
  };
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key === 'ArrowDown') setActive(Math.min(list.length - 1, at + 1));
      else if (event.key === 'ArrowUp') setActive(Math.max(0, at - 1));
      else if (event.key === 'Enter') run(list[at]);
      else return;
      event.preventDefault();
    };
    document.addEventListener('keydown', onKey, true);
    return () => document.removeEventListener('keydown', onKey, true);
  });
  useEffect(() => {
    document.getElementById('palette-input')?.setAttribute('aria-activedescendant', `palette-${at}`);
    document.getElementById(`palette-${at}`)?.scrollIntoView({ block: 'nearest' });
  }, [at]);
  return (
    <>
      {matching.length === 0 ? <p className="palette-none dim">{t('palette.none')}</p> : null}
      <ul id="palette-list" role="listbox" aria-label={t('palette.title')} className="palette-list">
        {list.map((command, index) => (
          <li
            key={command.id}
            id={`palette-${index}`}
            role="option"
            aria-selected={index === at}
            className="menu-item"
            data-highlighted={index === at ? '' : undefined}
            onPointerDown={(event) => {
              event.preventDefault();
              run(command);
            }}
          >
            {command.title}
            {command.keys === undefined ? null : <span className="menu-hint">{command.keys}</span>}
          </li>
        ))}
      </ul>
    </>
  );
}

function PaletteBody({ onDone }: { onDone: () => void }) {
  const [typed, setTyped] = useState('');
  return (
    <div className="palette">
      <input
        id="palette-input"
        className="palette-input"
        value={typed}
        placeholder={t('palette.placeholder')}
        aria-label={t('palette.placeholder')}
        role="combobox"
        aria-expanded
        aria-controls="palette-list"
        autoComplete="off"
        spellCheck={false}
        autoFocus
        onChange={(event) => setTyped(event.target.value)}
      />
      <List key={typed} typed={typed} onDone={onDone} />
    </div>
  );
}

export function Palette() {
  const open = useApp((state) => state.overlay.palette);
  const close = (): void => showOverlay({ palette: false });
  return (
    <Modal title={t('palette.title')} open={open} onClose={close} bare>
      <PaletteBody onDone={close} />
    </Modal>
  );
}
