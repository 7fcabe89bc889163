/**
 * What a reader without a mouse, with other eyes, a small window or another language meets in every view: the focus is
 * seen wherever it goes and is never trapped, nothing moves when that is not wanted, everything fits at twice the size,
 * and no English is left in Spanish.
 */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectAgent } from './agent-client.ts';
import { dataPaths } from '../../agent/data-dir.ts';
import { en } from '../../renderer/src/i18n/en.ts';
import { es } from '../../renderer/src/i18n/es.ts';
import { accessibilityFaults } from './axe.ts';
import { type TestBrowser, browserPath, openBrowser } from './browser.ts';
import { RECORDED, startOnRecord } from './console-record.ts';
import type { AgentProcess } from './packaged-agent.ts';
import { layoutFaults } from './page-faults.ts';

if (browserPath === undefined)
  console.warn('SKIPPED: the console by keyboard and at other sizes: no Chromium is installed');

const VIEWS = ['timeline', 'processes', 'detections', 'policies', 'dlp', 'health'] as const;
/** What a window of 1440 or 1024 px is at 200 %, and the smallest one that is promised. */
const SIZES = [
  [1024, 700],
  [720, 450],
  [512, 350],
] as const;

let browser: TestBrowser;
let page: Page;
let agent: AgentProcess;

async function go(view: string): Promise<void> {
  const query = view === 'timeline' ? `?q=${encodeURIComponent(`has:rule ${RECORDED}`)}` : '';
  await page.evaluate(`location.hash = ${JSON.stringify(`#/${view}${query}`)}`);
  await page.locator('h1').first().waitFor({ state: 'attached' });
  if (view === 'timeline') await page.locator('.row[data-event]').first().waitFor();
  await page.waitForTimeout(400);
}

interface Focus {
  what: string;
  /** Looks other than without the focus. */
  marked: boolean;
  /** Lies within the window and nothing covers it. */
  seen: boolean;
}

// Runs in the page. The list marks the row that the keyboard is on instead of its own whole frame.
const FOCUS = `(() => {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  const look = (of) => {
    const { outlineStyle, outlineWidth, outlineColor, boxShadow, borderColor, backgroundColor } = getComputedStyle(of);
    return [outlineStyle, outlineStyle === 'none' ? '' : outlineWidth + outlineColor, boxShadow, borderColor, backgroundColor].join();
  };
  const chain = [element, element.parentElement, element.parentElement?.parentElement];
  const focused = chain.map((of) => of && look(of));
  element.blur();
  const plain = chain.map((of) => of && look(of));
  element.focus({ preventScroll: true });
  const box = element.getBoundingClientRect();
  const x = Math.min(innerWidth - 1, Math.max(0, box.left + Math.min(box.width / 2, 40)));
  const y = Math.min(innerHeight - 1, Math.max(0, box.top + Math.min(box.height / 2, 8)));
  const top = document.elementFromPoint(x, y);
  return {
    what: element.outerHTML.slice(0, 110),
    marked: focused.some((style, at) => style !== plain[at]),
    seen: box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth &&
      top !== null && (element.contains(top) || top.contains(element)),
  };
})()`;

/** Every stop of the Tab key, until it comes round. */
async function tabStops(most: number): Promise<Focus[]> {
  const stops: Focus[] = [];
  const met = new Set<string>();
  await page.evaluate("document.querySelector('.skip').focus()");
  for (let n = 0; n < most; n += 1) {
    await page.keyboard.press('Tab');
    const focus = await page.evaluate<Focus | null>(FOCUS);
    if (focus === null) break;
    stops.push(focus);
    met.add(focus.what);
  }
  return stops;
}

const placeholders = (text: string): string[] =>
  [...text.matchAll(/\{(\w+)\}/g)].map(([name]) => name).toSorted();

/** Words that English has and Spanish has not, between blanks. */
const ENGLISH_WORDS =
  /(?:^|\s)(?:the|of|and|is|are|was|were|not|with|from|which|this|that|have|been)(?=\s|[.,:;]|$)/i;
/**
 * What a person reads or hears on the page. Left out: what is the same in every language (fields and values of the query
 * language, code, what programs were called with), names of ATT&CK, and what lies in the record.
 */
const VISIBLE_TEXTS = `(() => {
  const DATA = 'option, code, .field, .mono, .command, .json, .hex, .say-object, .technique-name, .sample, .match-open, .policy-text, .say-note';
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode())
    if (!walker.currentNode.parentElement.closest(DATA)) texts.push(walker.currentNode.data.trim());
  for (const element of document.querySelectorAll('[title], [aria-label], [placeholder]'))
    if (!element.closest(DATA + ', .technique, .row'))
      for (const name of ['title', 'aria-label', 'placeholder']) texts.push(element.getAttribute(name) ?? '');
  return texts;
})()`;

describe('messages', () => {
  it('are the same in English and Spanish, with the same blanks', () => {
    expect(Object.keys(es).toSorted()).toEqual(Object.keys(en).toSorted());
    const wrong = Object.entries(en).filter(
      ([key, text]) => placeholders(text).join() !== placeholders(es[key as keyof typeof es]).join(),
    );
    expect(wrong).toEqual([]);
  });
});

describe.skipIf(browserPath === undefined)(
  'the console for everyone (needs Chromium)',
  { timeout: 120_000 },
  () => {
    beforeAll(async () => {
      agent = await startOnRecord();
      browser = await openBrowser([], { locale: 'en-GB' });
      page = await browser.newPage();
      await page.goto(agent.consoleUrl!);
      await page.locator('#event-list').waitFor();
    }, 120_000);
    afterAll(async () => {
      await browser?.close();
      await agent?.stop();
      agent?.remove();
    });

    for (const theme of ['light', 'dark'] as const) {
      it(`shows where the focus is at every stop, ${theme}`, async () => {
        await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
        const wrong: string[] = [];
        for (const view of VIEWS) {
          await go(view);
          const stops = await tabStops(70);
          expect(stops.length, view).toBeGreaterThan(8);
          for (const { what, marked, seen } of stops) {
            if (!marked) wrong.push(`${view}: the focus cannot be told: ${what}`);
            if (!seen) wrong.push(`${view}: the focus is out of sight: ${what}`);
          }
        }
        expect([...new Set(wrong)]).toEqual([]);
      });
    }

    it('is read from a query to its process and back with the keyboard alone', async () => {
      await go('timeline');
      await page.evaluate('document.activeElement?.blur()');
      await page.keyboard.press('Tab');
      expect(await page.evaluate('document.activeElement?.className')).toBe('skip');
      await page.keyboard.press('/');
      await page.keyboard.press('Control+a');
      await page.keyboard.type(`cmd:--daemon ${RECORDED}`);
      await page.keyboard.press('Escape');
      await page.keyboard.press('Enter');
      await expect.poll(() => page.url()).toContain('daemon');
      await page.locator('.row[data-event]').first().waitFor();
      await page.locator('#event-list').focus();
      await page.keyboard.press('j');
      await page.keyboard.press('Enter');
      await page.getByRole('tabpanel').first().waitFor();
      await page.keyboard.press(']');
      await expect.poll(() => page.url()).toContain('tab=why');
      await page.keyboard.press('p');
      await expect.poll(() => page.url()).toContain('#/processes');
      await page.getByRole('treegrid').waitFor();
      await page.keyboard.press('g');
      await page.keyboard.press('d');
      await expect.poll(() => page.url()).toContain('#/detections');
      await page.keyboard.press('Control+k');
      await page.keyboard.type('health');
      await page.keyboard.press('Enter');
      await expect.poll(() => page.url()).toContain('#/health');
      await page.keyboard.press('?');
      await page.getByRole('dialog').waitFor();
      await page.keyboard.press('Escape');
      await expect.poll(() => page.getByRole('dialog').count()).toBe(0);
    });

    it('moves nothing when motion is not wanted', async () => {
      await page.emulateMedia({ reducedMotion: 'reduce' });
      const moving: string[] = [];
      for (const view of VIEWS) {
        await go(view);
        moving.push(
          ...(await page.evaluate<string[]>(`[...document.querySelectorAll('*')].flatMap((element) => {
          const { transitionDuration, animationDuration, animationName } = getComputedStyle(element);
          const long = (text) => text.split(',').some((part) => Number.parseFloat(part) > 0.001);
          return long(transitionDuration) || (animationName !== 'none' && long(animationDuration))
            ? [${JSON.stringify(view)} + ': ' + element.outerHTML.slice(0, 100)] : [];
        })`)),
        );
      }
      expect([...new Set(moving)]).toEqual([]);
    });

    for (const [width, height] of SIZES) {
      it(`fits ${width} x ${height}`, async () => {
        await page.setViewportSize({ width, height });
        const wrong: string[] = [];
        for (const view of VIEWS) {
          await go(view);
          wrong.push(...(await layoutFaults(page)).map((fault) => `${view}: ${fault}`));
          wrong.push(...(await accessibilityFaults(page)).map((fault) => `${view}: ${fault}`));
        }
        await go('timeline');
        const shown =
          await page.evaluate<number>(`[...document.querySelectorAll('.row[data-event]')].filter((row) => {
        const box = row.getBoundingClientRect();
        const list = document.querySelector('#event-list').getBoundingClientRect();
        return box.top >= list.top && box.bottom <= Math.min(innerHeight, list.bottom) + 1;
      }).length`);
        expect(shown).toBeGreaterThanOrEqual(3);
        await page.locator('.row[data-event]').first().click();
        await page.getByRole('tabpanel').first().waitFor();
        wrong.push(...(await layoutFaults(page)).map((fault) => `detail: ${fault}`));
        await page.keyboard.press('Escape');
        await page.setViewportSize({ width: 1440, height: 900 });
        expect(wrong).toEqual([]);
      });
    }

    it('leaves no English in Spanish', async () => {
      browser.complaints();
      await page.getByRole('button', { name: en['settings.label'] }).click();
      await page.getByRole('menuitemradio', { name: 'Español' }).click();
      await page.getByText('Cronología').first().waitFor();
      // The frame is drawn anew, and whoever chose goes on from the same button.
      await expect
        .poll(() => page.evaluate('document.activeElement?.getAttribute("aria-label")'))
        .toBe(es['settings.label']);
      expect(await page.locator('html').getAttribute('lang')).toBe('es');
      expect(browser.complaints()).toEqual([]);
      const spanish = new Set(Object.values(es).map(String));
      // The tier's own name, which no language changes, is `replay` here.
      const english = new Set(
        Object.values(en)
          .map(String)
          .filter(
            (text) => !spanish.has(text) && !text.includes('{') && text.length > 3 && text !== 'replay',
          ),
      );
      const api = await connectAgent(dataPaths(agent.dataDir).socket);
      const { rules } = await api.call('rules.list', {});
      const { policies } = await api.call('policy.list', {});
      api.close();
      // Names that people gave: rules and policies are read as they were written, in every language.
      const example = 'image:*/curl and not user:root last:1h';
      const names = new Set([
        example,
        ...policies.map(({ title }) => title),
        ...rules.flatMap(({ title, disabledReason = '' }) => [title, disabledReason]),
      ]);
      const left: string[] = [];
      const look = async (where: string): Promise<void> => {
        const texts = await page.evaluate<string[]>(VISIBLE_TEXTS);
        const own = texts.map((text) =>
          [...names].reduce((rest, name) => rest.replace(name, ''), text).trim(),
        );
        const wrong = own.filter((text) => english.has(text) || ENGLISH_WORDS.test(text));
        left.push(...wrong.map((text) => `${where}: ${text}`));
      };
      for (const view of VIEWS) {
        await go(view);
        if (view === 'health') await page.getByRole('heading', { name: es['health.doctor'] }).waitFor();
        await look(view);
      }
      await go('timeline');
      await page.locator('.row[data-event]').first().click();
      for (const tab of ['why', 'ancestry', 'fields', 'raw', 'proof'] as const) {
        await page.getByRole('tab', { name: es[`detail.tab.${tab}`] }).click();
        await look(tab);
      }
      await page.keyboard.press('Escape');
      for (const name of [es['export.label'], es['display.label']]) {
        await page.getByRole('button', { name, exact: true }).click();
        await page.locator('.menu').waitFor();
        await look(name);
        await page.keyboard.press('Escape');
        await page.locator('.menu').waitFor({ state: 'detached' });
      }
      await page.locator('#event-list').focus();
      for (const keys of ['?', 'Control+k']) {
        await page.keyboard.press(keys);
        await page.locator('dialog[open]').waitFor();
        await look(keys);
        await page.keyboard.press('Escape');
        await page.locator('dialog[open]').waitFor({ state: 'detached' });
      }
      await go('processes');
      await page.locator('.entry-line').first().click();
      await page.locator('.tree-row').first().waitFor();
      await look('tree');
      expect([...new Set(left)]).toEqual([]);
    });
  },
);
