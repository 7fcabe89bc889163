/** The parts of `ui/`, each in every form it has. */
import { DropdownMenu } from 'radix-ui';
import { useState } from 'react';
import { State } from '../src/health/section.tsx';
import { Icon, ICON_NAMES } from '../src/ui/icon.tsx';
import { FailureNotice } from '../src/ui/failure-notice.tsx';
import { menuHost } from '../src/ui/menu-host.ts';
import { MenuCheck, MenuChoice, stay } from '../src/ui/menu-choice.tsx';
import { CodeLine, CopyButton, IconButton, Kbd, Meter, Modal, Notice } from '../src/ui/primitives.tsx';
import { ResizeHandle } from '../src/ui/resize-handle.tsx';
import { SEVERITY_ORDER } from '../src/ui/severity-order.ts';
import { SeverityGlyph, SeverityWord } from '../src/ui/severity.tsx';
import { Sparkline } from '../src/ui/sparkline.tsx';
import { EndEllipsis, LongText, MiddleEllipsis, SafeText } from '../src/ui/text.tsx';
import { Ago } from '../src/ui/time.tsx';
import { Value } from '../src/ui/value.tsx';
import type { Story } from './story.tsx';

const COLOURS = [
  ['bg', 'bg-frame', 'bg-inset', 'bg-hover', 'bg-selected', 'bg-cursor'],
  ['line', 'line-strong', 'line-control', 'text', 'text-2', 'text-3'],
  ['accent', 'accent-fill', 'on-accent', 'ok', 'gap', 'gap-fill'],
  ['sev-info', 'sev-low', 'sev-medium', 'sev-high', 'sev-critical', 'escape'],
  ['sev-info-bar', 'sev-low-bar', 'sev-medium-bar', 'sev-high-bar', 'sev-critical-bar', 'match'],
  ['type-process', 'type-file', 'type-network', 'type-dns', 'type-memory', 'type-other'],
  ['lane-security', 'lane-observability', 'warn-bg', 'warn-line', 'bad-bg', 'bad-line'],
];
const HOSTILE = 'safe\u202Etxt.exe \u001B[31mred\u200B <img src=x onerror=alert(1)>';
const PATH = '/usr/lib/node_modules/a-package/with/a/very/long/path/to/some/deeply/nested/module/index.js';
/** A day the console had long before it is looked at: relative times stay the same for a while. */
const LONG_AGO = '1000000000000000000';
const SECONDS = Array.from({ length: 120 }, (_, at) => 1_700_000_000 + at);

function Colours() {
  return COLOURS.flat().map((name) => (
    <span key={name} className="swatch">
      <i style={{ background: `var(--${name})` }} />
      {name}
    </span>
  ));
}

function Type() {
  return (
    <div>
      <p style={{ font: 'var(--text-large)' }}>Large: the only large size</p>
      <p>Body: what most of the screen is set in</p>
      <p className="small">Small: what stands beside it</p>
      <p className="small dim">Small and dim: what may be overlooked</p>
      <p className="mono">Value: /usr/bin/curl 0O 1lI</p>
    </div>
  );
}

function Pressable() {
  const [pressed, setPressed] = useState(true);
  return <IconButton icon="pin" label="Pinned" pressed={pressed} onClick={() => setPressed(!pressed)} />;
}

function Dialog() {
  const [open, setOpen] = useState(false);
  return (
    <>
      <button type="button" className="button" onClick={() => setOpen(true)}>
        Open a dialog
      </button>
      <Modal title="A dialog" open={open} onClose={() => setOpen(false)}>
        <p>Focus stays inside; Escape closes it.</p>
      </Modal>
    </>
  );
}

function Settings() {
  const [size, setSize] = useState<'small' | 'large'>('small');
  const [marked, setMarked] = useState(true);
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger className="button">Settings</DropdownMenu.Trigger>
      <DropdownMenu.Portal container={menuHost()}>
        <DropdownMenu.Content className="menu" sideOffset={4}>
          <MenuChoice
            title="Size"
            value={size}
            options={['small', 'large']}
            name={(option) => option}
            onChange={setSize}
          />
          <DropdownMenu.CheckboxItem
            className="menu-item"
            checked={marked}
            onCheckedChange={setMarked}
            onSelect={stay}
          >
            <MenuCheck /> Marked
          </DropdownMenu.CheckboxItem>
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

const nothing = (): void => undefined;

export const PRIMITIVES: readonly Story[] = [
  { name: 'Colours', wide: true, show: Colours },
  { name: 'Type', show: Type },
  {
    name: 'Icons',
    show: () =>
      ICON_NAMES.map((name) => (
        <span key={name} title={name}>
          <Icon name={name} />
        </span>
      )),
  },
  {
    name: 'Buttons',
    show: () => (
      <>
        <button type="button" className="button">
          Plain
        </button>
        <button type="button" className="button" disabled>
          Disabled
        </button>
        <button type="button" className="button button-quiet">
          <Icon name="download" /> Quiet
        </button>
        <button type="button" className="link-button">
          Link
        </button>
        <IconButton icon="reload" label="Reload" onClick={nothing} />
        <Pressable />
        <CopyButton text="text" />
        <CopyButton text="text" label="Copy as a query" words />
      </>
    ),
  },
  {
    name: 'Keys and commands',
    show: () => (
      <>
        <Kbd keys="g t" /> <Kbd keys="Ctrl+K" />
        <CodeLine code="sentinel events --follow 'has:rule'" />
      </>
    ),
  },
  {
    name: 'Severity: glyphs alone and with their word',
    show: () => (
      <>
        {SEVERITY_ORDER.map((severity) => (
          <SeverityGlyph key={severity} severity={severity} />
        ))}
        {SEVERITY_ORDER.map((severity) => (
          <SeverityWord key={severity} severity={severity} />
        ))}
      </>
    ),
  },
  {
    name: 'States',
    show: () => (
      <>
        <State level="ok">ok</State>
        <State level="degraded">degraded</State>
        <State level="failed">failed</State>
      </>
    ),
  },
  {
    name: 'Meters: how full, and how much of a promise',
    show: () =>
      [0, 0.4, 0.8, 0.97].map((value) => (
        <div key={value} className="story-line">
          <Meter value={value} max={1} label={`Buffer ${value}`} />
        </div>
      )),
  },
  {
    name: 'Meters of a budget: within, beyond, twice',
    show: () =>
      [0.9, 1.4, 2.5].map((value) => (
        <div key={value} className="story-line">
          <Meter value={value} max={1} label={`CPU ${value}`} budget />
        </div>
      )),
  },
  {
    name: 'Lines over time: at rest, at work, nothing yet',
    show: () => (
      <>
        {[0.2, 8].map((size) => (
          <div key={size} className="story-line">
            <Sparkline
              xs={SECONDS}
              ys={SECONDS.map((_, at) => size * (1 + Math.sin(at / 7) + Math.sin(at / 2.3) / 2))}
              label={`A line of size ${size}`}
              floor={10}
            />
          </div>
        ))}
        <div className="story-line">
          <Sparkline xs={[]} ys={[]} label="No samples yet" floor={10} />
        </div>
      </>
    ),
  },
  {
    name: 'Recorded text: neutralised, cut in the middle, at the end, folded',
    wide: true,
    show: () => (
      <>
        <p className="story-line">
          <SafeText text={HOSTILE} />
        </p>
        <p className="story-line" style={{ display: 'flex', width: 360 }}>
          <MiddleEllipsis text={PATH} />
        </p>
        <p className="story-line" style={{ display: 'flex', width: 240 }}>
          <EndEllipsis text={PATH} />
        </p>
        <p className="story-line mono" style={{ overflowWrap: 'anywhere' }}>
          <LongText text={`${PATH} `.repeat(40)} limit={300} />
        </p>
        <p className="story-line">
          <SafeText text="مرحبا بالعالم · שלום עולם · 👩‍👩‍👧‍👦 🏳️‍🌈 · z̷̢̧̛a̴l̶g̵o" />
        </p>
      </>
    ),
  },
  {
    name: 'Values and times',
    show: () => (
      <>
        <Value value="/usr/bin/curl" label="Program" field="image" />
        <Value value={HOSTILE} label="Command line" field="cmd" />
        <span className="dim">
          <Ago ns={LONG_AGO} />
        </span>
      </>
    ),
  },
  {
    name: 'A panel that is sized',
    show: () => (
      <div className="story-pane" style={{ display: 'flex' }}>
        <div style={{ width: 120 }}>panel</div>
        <ResizeHandle panel="facets" side="left" label="Facets" />
        <div>the rest</div>
      </div>
    ),
  },
  { name: 'Dialog', show: Dialog },
  { name: 'Settings in a menu', show: Settings },
  {
    name: 'Failure',
    show: () => (
      <FailureNotice title="Policies could not be read" message="The agent is busy" again={nothing} />
    ),
  },
  {
    name: 'Notice',
    show: () => (
      <Notice title="No event matches this query">
        <p className="dim">What it means and what to do stand below.</p>
        <div className="notice-actions">
          <button type="button" className="button">
            Clear the query
          </button>
        </div>
      </Notice>
    ),
  },
];
