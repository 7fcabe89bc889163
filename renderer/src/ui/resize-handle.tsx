/** A 1 px line that sizes the panel beside it, by pointer or arrow keys. */
import { useState } from 'react';
import { t } from '../i18n/i18n.ts';
import { PANEL_LIMITS, type PanelName, setPanel, usePrefs } from '../prefs.ts';

const STEP = 16;

export function ResizeHandle({
  panel,
  side,
  label,
}: {
  panel: PanelName;
  side: 'left' | 'right';
  label: string;
}) {
  const size = usePrefs((prefs) => prefs.panels[panel].size);
  const [drag, setDrag] = useState<{ x: number; size: number }>();
  const { min, max } = PANEL_LIMITS[panel];
  // The panel is left or right of the handle, so the same movement grows or shrinks it.
  const sign = side === 'left' ? 1 : -1;
  return (
    <div
      className="resize"
      role="separator"
      tabIndex={0}
      aria-orientation="vertical"
      aria-label={t('resize.label', { panel: label })}
      aria-valuemin={min}
      aria-valuemax={max}
      aria-valuenow={size}
      data-active={drag ? '' : undefined}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        setDrag({ x: event.clientX, size });
      }}
      onPointerMove={(event) => {
        if (drag) setPanel(panel, { size: drag.size + sign * (event.clientX - drag.x) });
      }}
      onPointerUp={() => setDrag(undefined)}
      onPointerCancel={() => setDrag(undefined)}
      onKeyDown={(event) => {
        if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
        event.preventDefault();
        setPanel(panel, { size: size + sign * (event.key === 'ArrowRight' ? STEP : -STEP) });
      }}
    />
  );
}
