/** The tray's symbols, drawn: a disc, a triangle and a cross, so that colour is never the only sign. */
export type TrayLevel = 'ok' | 'degraded' | 'failed';

export const TRAY_ICON_PX = 32;

type Inside = (x: number, y: number) => boolean;

/** x and y from -1 to 1, y downwards. */
const SHAPES: Readonly<Record<TrayLevel, Inside>> = {
  ok: (x, y) => x * x + y * y <= 0.72,
  degraded: (x, y) => y <= 0.8 && y >= -0.8 && Math.abs(x) <= (y + 0.8) * 0.58,
  failed: (x, y) => {
    const [a, b] = [Math.abs(x + y), Math.abs(x - y)];
    return Math.min(a, b) <= 0.36 && Math.max(a, b) <= 1.5;
  },
};
const COLOURS: Readonly<Record<TrayLevel, readonly [red: number, green: number, blue: number]>> = {
  ok: [58, 148, 96],
  degraded: [201, 138, 26],
  failed: [200, 58, 58],
};
const SAMPLES = 4;

/** Pixels in BGRA, premultiplied, TRAY_ICON_PX square: what `nativeImage.createFromBitmap` takes. */
export function trayBitmap(level: TrayLevel): Buffer {
  const bitmap = Buffer.alloc(TRAY_ICON_PX * TRAY_ICON_PX * 4);
  const [red, green, blue] = COLOURS[level];
  const inside = SHAPES[level];
  for (let row = 0; row < TRAY_ICON_PX; row += 1) {
    for (let column = 0; column < TRAY_ICON_PX; column += 1) {
      const cover = coverage(inside, column, row);
      bitmap.set([blue * cover, green * cover, red * cover, 255 * cover], (row * TRAY_ICON_PX + column) * 4);
    }
  }
  return bitmap;
}

function coverage(inside: Inside, column: number, row: number): number {
  let hits = 0;
  for (let i = 0; i < SAMPLES * SAMPLES; i += 1) {
    const x = column + ((i % SAMPLES) + 0.5) / SAMPLES;
    const y = row + (Math.floor(i / SAMPLES) + 0.5) / SAMPLES;
    if (inside((x / TRAY_ICON_PX) * 2 - 1, (y / TRAY_ICON_PX) * 2 - 1)) hits += 1;
  }
  return hits / (SAMPLES * SAMPLES);
}
