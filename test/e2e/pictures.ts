/**
 * Pictures of the console against those that a person has looked at, in `baselines`. `npm run baselines` takes them anew;
 * look at the difference before committing it.
 *
 * Tolerance: pictures are compared at a quarter of their size, where how letters are drawn no longer counts but places,
 * sizes and colours do. A point differs when a channel does by more than 40 of 255; a screen differs when more than
 * 2 % of its points do. Measured: the same machine again at most 0.2 %; rows 6 px higher 3.8 %; all moved by 24 px
 * 5.6 %; the histogram gone 2.3 %; another font family 0.7 to 4.2 %, so the fonts are named.
 */
import { mkdirSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { type Image, readPng, shrink, writeSmallPng } from './png.ts';

const FOLDER = join(dirname(fileURLToPath(import.meta.url)), 'baselines');
const SEEN = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'out', 'screenshots');
const UPDATE = process.env['UPDATE_BASELINES'] === '1';
const SHRINK = 4;
const CHANNEL_TOLERANCE = 40;
export const POINT_TOLERANCE = 0.02;
/** Taken anew, a picture is kept as it was when no more than this differs: the same machine again. */
const SAME = 0.004;
export const ADVICE =
  'looks different: compare out/screenshots with test/e2e/baselines; npm run baselines takes them anew';

const SETTLE = `
  :root { --font-ui: 'Liberation Sans' !important; --font-mono: 'DejaVu Sans Mono' !important; }
  *, *::before, *::after { caret-color: transparent !important; }
  .stories-head { display: none !important; }
`;
/** What differs from run to run: measured, counted since start, of this machine, or told relative to now. */
const HIDE = `
  time, .health-head .dim, .health-section .figure > dd, .health-section .fact-row dd,
  .health-section td.num, .health-section td .small, .facts dd time,
  .banner .num, .meter-fill { visibility: hidden !important; }
`;

/** The picture once nothing on it changes any more; of a page whose clock stands still with its times. The page's policy forbids style elements, not sheets of scripts. */
export async function picture(page: Page, isStill = false): Promise<Image> {
  await page.evaluate(`{
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(${JSON.stringify(isStill ? SETTLE : SETTLE + HIDE)});
    document.adoptedStyleSheets = [sheet];
  }`);
  await page.mouse.move(0, 0);
  let last: Buffer | undefined;
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const taken = await page.screenshot();
    if (last?.equals(taken)) return readPng(taken);
    last = taken;
    await page.waitForTimeout(250);
  }
  return readPng(last!);
}

/** Share of points that differ between two pictures at a quarter of their size. */
export function difference(a: Image, b: Image): number {
  const [one, other] = [shrink(a, SHRINK), shrink(b, SHRINK)];
  if (one.width !== other.width || one.height !== other.height) return 1;
  let points = 0;
  for (let at = 0; at < one.rgb.length; at += 3) {
    const differs = [0, 1, 2].some(
      (c) => Math.abs(one.rgb[at + c]! - other.rgb[at + c]!) > CHANNEL_TOLERANCE,
    );
    if (differs) points += 1;
  }
  return points / (one.rgb.length / 3);
}

const baseline = (name: string): string => join(FOLDER, `${name}.png`);

/** How much differs from the picture of that name; or takes its place. What was seen is kept where too much does. */
export async function differenceFrom(page: Page, name: string, isStill = false): Promise<number> {
  const seen = await picture(page, isStill);
  if (UPDATE) {
    mkdirSync(FOLDER, { recursive: true });
    const known = existsSync(baseline(name)) ? readPng(readFileSync(baseline(name))) : undefined;
    if (known && difference(seen, known) <= SAME) return 0;
    writeFileSync(baseline(name), writeSmallPng(seen));
    return 0;
  }
  if (!existsSync(baseline(name))) throw new Error(`${baseline(name)} is missing: npm run baselines`);
  const differs = difference(seen, readPng(readFileSync(baseline(name))));
  if (process.env['SHOW_DIFFERENCES'] === '1') console.log(name, `${(differs * 100).toFixed(2)} %`);
  if (differs > POINT_TOLERANCE) {
    mkdirSync(SEEN, { recursive: true });
    writeFileSync(join(SEEN, `${name}.png`), await page.screenshot());
  }
  return differs;
}
