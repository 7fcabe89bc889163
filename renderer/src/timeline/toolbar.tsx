/** Beside the histogram: how much there is, over which time, live or paused. */
import { DropdownMenu } from 'radix-ui';
import { menuHost } from '../ui/menu-host.ts';
import { t, tn } from '../i18n/i18n.ts';
import { ExportButton } from '../export/export-button.tsx';
import { setPanel, usePrefs } from '../prefs.ts';
import { useApp } from '../store.ts';
import { zoneName } from '../ui/format.ts';
import { Icon } from '../ui/icon.tsx';
import { IconButton } from '../ui/primitives.tsx';
import { DisplayMenu } from './display-menu.tsx';
import { totalOf } from './histogram-model.ts';
import { zoomOut } from './histogram.tsx';
import { endsInPast, timeOf, withTime } from './query-text.ts';
import { useTimeline } from './timeline-state.ts';
import { runQuery, setPaused } from './timeline-store.ts';

const RANGES = [
  ['last:15m', 'time.15m'],
  ['last:1h', 'time.1h'],
  ['last:24h', 'time.24h'],
  ['last:7d', 'time.7d'],
  ['', 'time.all'],
] as const;

function TimeMenu() {
  const query = useApp((state) => state.route.query);
  const bound = timeOf(query);
  const around = useApp((state) => state.route.around !== undefined);
  const known = around ? undefined : RANGES.find(([text]) => text === bound);
  const name = known ? t(known[1]) : t('time.custom');
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger
        className="button button-quiet"
        aria-label={`${t('time.label')}: ${name}`}
        title={t('time.zone', { zone: zoneName() })}
      >
        <Icon name="clock" /> {name} <Icon name="down" />
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal container={menuHost()}>
        <DropdownMenu.Content className="menu" align="end" sideOffset={4}>
          <DropdownMenu.RadioGroup value={bound} onValueChange={(text) => runQuery(withTime(query, text))}>
            {RANGES.map(([text, key]) => (
              <DropdownMenu.RadioItem key={key} value={text} className="menu-item">
                {t(key)}
                <span className="menu-hint mono">{text}</span>
              </DropdownMenu.RadioItem>
            ))}
          </DropdownMenu.RadioGroup>
          <p className="menu-foot">{t('time.zone', { zone: zoneName() })}</p>
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

function LiveButton() {
  const paused = useTimeline((state) => state.paused);
  const fixed = useApp(({ route }) => route.around !== undefined || endsInPast(route.query));
  const connected = useApp((state) => state.connection.state === 'open');
  const live = !paused && !fixed && connected;
  let text = t('live.live');
  if (!connected) text = t('live.offline');
  else if (fixed) text = t('live.fixedShort');
  else if (paused) text = t('live.paused');
  return (
    <button
      type="button"
      className="button button-quiet live"
      aria-pressed={live}
      disabled={fixed || !connected}
      title={fixed ? t('live.fixed') : paused ? t('live.resume') : t('live.pause')}
      onClick={() => setPaused(!paused)}
    >
      <Icon name={live ? 'pause' : 'play'} />
      {live ? <span className="live-dot" /> : null}
      {text}
    </button>
  );
}

export function Toolbar() {
  const histogram = useTimeline((state) => state.histogram);
  const facets = usePrefs((prefs) => prefs.panels.facets.open);
  const total = histogram?.buckets.reduce((sum, bucket) => sum + totalOf(bucket), 0) ?? 0;
  const text = tn('histogram.total', total);
  return (
    <div className="toolbar">
      <IconButton
        icon="facets"
        label={facets ? t('facets.hide') : t('facets.show')}
        pressed={facets}
        onClick={() => setPanel('facets', { open: !facets })}
      />
      <p className="toolbar-total num" role="status">
        {histogram ? (histogram.approximate ? t('common.about', { n: text }) : text) : ''}
      </p>
      <span className="toolbar-space" />
      {histogram ? (
        <IconButton icon="zoomOut" label={t('histogram.zoomOut')} onClick={() => zoomOut(histogram)} />
      ) : null}
      <ExportButton />
      <DisplayMenu />
      <TimeMenu />
      <LiveButton />
    </div>
  );
}
