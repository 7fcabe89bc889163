import { describe, expect, it } from 'vitest';
import { TRAY_ICON_PX, trayBitmap } from './tray-icon.ts';

describe('tray icon', () => {
  it('differs by shape, not only by colour, and is opaque where it is drawn', () => {
    const shapes = (['ok', 'degraded', 'failed'] as const).map((level) => {
      const bitmap = trayBitmap(level);
      expect(bitmap).toHaveLength(TRAY_ICON_PX * TRAY_ICON_PX * 4);
      const alpha = bitmap.filter((_, i) => i % 4 === 3);
      const drawn = alpha.filter((value) => value === 255).length;
      expect(drawn).toBeGreaterThan(100);
      expect(drawn).toBeLessThan((TRAY_ICON_PX * TRAY_ICON_PX * 3) / 4);
      return alpha.map((value) => (value > 127 ? 1 : 0)).join('');
    });
    expect(new Set(shapes).size).toBe(3);
  });
});
