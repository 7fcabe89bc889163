/**
 * What the console looks like, screen by screen and in both themes, against pictures that a person has looked at.
 * `npm run baselines` takes them anew; look at the difference before committing it.
 *
 * How alike they have to be: see pictures.ts. Times are fixed by the record; what a running agent measures is hidden
 * before the picture is taken.
 */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectAgent } from './agent-client.ts';
import { dataPaths } from '../../agent/data-dir.ts';
import { type TestBrowser, browserPath, openBrowser } from './browser.ts';
import { RECORDED, startOnRecord } from './console-record.ts';
import type { AgentProcess } from './packaged-agent.ts';
import { ADVICE, difference, differenceFrom, picture, POINT_TOLERANCE } from './pictures.ts';

if (browserPath === undefined) console.warn('SKIPPED: what the console looks like: no Chromium is installed');

interface Screen {
  name: string;
  /** Brings the screen about; the page stands at a fresh console. */
  show(page: Page): Promise<void>;
}

const hash = (text: string, rest = ''): string =>
  `#/timeline?q=${encodeURIComponent(`${text} ${RECORDED}`.trim())}${rest}`;
const rowsOf = (page: Page) => page.locator('.row[data-event]');

async function go(page: Page, to: string): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(to)}`);
}
async function timeline(page: Page, text: string, rest = ''): Promise<void> {
  await go(page, hash(text, rest));
  await rowsOf(page).first().waitFor();
}

const SCREENS: readonly Screen[] = [
  { name: 'timeline', show: (page) => timeline(page, '') },
  {
    name: 'timeline-detail',
    show: async (page) => {
      await timeline(page, 'has:rule');
      await rowsOf(page).filter({ hasText: '/tmp/.x --daemon' }).first().click();
      await page.getByRole('tabpanel').getByText('/tmp/.x').first().waitFor();
    },
  },
  {
    name: 'timeline-why',
    show: async (page) => {
      await timeline(page, 'has:rule');
      await rowsOf(page).filter({ hasText: 'chattr' }).first().click();
      await page.getByRole('tab', { name: 'Why' }).click();
    },
  },
  {
    name: 'timeline-gap',
    show: async (page) => {
      const around = 'since:2026-03-14T09:50:00Z until:2026-03-14T10:01:20Z';
      await go(page, `#/timeline?q=${encodeURIComponent(around)}`);
      await page.locator('.row[data-gap]').waitFor();
    },
  },
  {
    name: 'timeline-paused',
    show: async (page) => {
      // Without an end, so that it could be live; the histogram reaches until now then and is left out.
      const api = await connectAgent(dataPaths(agent.dataDir).socket);
      const { events } = await api.call('events.query', { query: 'lane:security', limit: 1 });
      const kinds = `(type:process or (type:decision and id:>${events[0]!.eventId}))`;
      await go(page, `#/timeline?q=${encodeURIComponent(`since:2026-03-14T09:00:00Z ${kinds}`)}`);
      await rowsOf(page).first().waitFor();
      await page.locator('#event-list').focus();
      await page.keyboard.press('Space');
      await page.getByRole('button', { name: 'Paused' }).waitFor();
      // Taking back labels that nobody gave: three records more, which wait.
      const { events: found } = await api.call('events.query', { query: 'type:process', limit: 3 });
      const eventIds = found.map(({ eventId }) => eventId);
      await api.call('triage.set', { eventIds, label: 'none' });
      api.close();
      await page.locator('.new-pill', { hasText: '3 new' }).waitFor();
      await page.evaluate("document.querySelector('.histogram').style.visibility = 'hidden'");
    },
  },
  {
    name: 'query-error',
    show: async (page) => {
      await timeline(page, 'type:process');
      await page.keyboard.press('/');
      await page.keyboard.press('Control+a');
      await page.keyboard.type('type:process imge:*/curl');
      await page.locator('.query-error').waitFor();
    },
  },
  {
    name: 'no-match',
    show: async (page) => {
      await go(page, hash('image:*/nothing-like-this'));
      await page.getByText('No event matches').waitFor();
    },
  },
  {
    name: 'detections',
    show: async (page) => {
      await go(page, '#/detections');
      await page.locator('.table tbody tr').first().waitFor();
    },
  },
  {
    name: 'detections-by-process',
    show: async (page) => {
      await go(page, '#/detections');
      await page.getByRole('button', { name: 'By process' }).click();
      await page.locator('.table tbody tr').first().waitFor();
    },
  },
  {
    name: 'processes',
    show: async (page) => {
      await timeline(page, 'has:rule');
      await rowsOf(page).filter({ hasText: '/tmp/.x --daemon' }).first().click();
      await page.getByRole('tabpanel').getByRole('button', { name: 'Process tree' }).click();
      await page.getByRole('treegrid').locator('.tree-row').nth(4).waitFor();
    },
  },
  {
    name: 'processes-entry',
    show: async (page) => {
      await go(page, '#/processes');
      await page.locator('.entry-line').first().waitFor();
    },
  },
  {
    name: 'health',
    show: async (page) => {
      await go(page, '#/health');
      await page.getByRole('heading', { name: 'Write-ahead log' }).waitFor();
    },
  },
  {
    name: 'palette',
    show: async (page) => {
      await timeline(page, 'has:rule');
      await page.keyboard.press('Control+k');
      await page.locator('#palette-input').waitFor();
    },
  },
  {
    name: 'key-map',
    show: async (page) => {
      await timeline(page, 'has:rule');
      await page.locator('#event-list').focus();
      await page.keyboard.press('?');
      await page.getByRole('dialog').waitFor();
    },
  },
  {
    name: 'policies',
    show: async (page) => {
      await go(page, '#/policies');
      await page.locator('.policies tbody tr').first().waitFor();
    },
  },
  {
    name: 'dlp',
    show: async (page) => {
      await go(page, '#/dlp');
      await page.locator('.dlp-teach').waitFor();
    },
  },
];

let browser: TestBrowser;
let agent: AgentProcess;
let page: Page;

describe.skipIf(browserPath === undefined)('what the console looks like (needs Chromium)', () => {
  beforeAll(async () => {
    agent = await startOnRecord();
    browser = await openBrowser([], { timezoneId: 'UTC', locale: 'en-GB', reducedMotion: 'reduce' });
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
    for (const screen of SCREENS) {
      it(`${screen.name}, ${theme}`, async () => {
        await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
        await page.goto('about:blank');
        await page.goto(new URL(agent.consoleUrl!).origin);
        await page.locator('.state').waitFor();
        await screen.show(page);
        expect(await differenceFrom(page, `${screen.name}-${theme}`), ADVICE).toBeLessThanOrEqual(
          POINT_TOLERANCE,
        );
      });
    }
  }

  it('notices a change of layout and a change of colour', async () => {
    await page.emulateMedia({ colorScheme: 'light' });
    await page.goto('about:blank');
    await page.goto(new URL(agent.consoleUrl!).origin);
    await timeline(page, '');
    const sound = await picture(page);
    // Evaluated over the debugging protocol: the page's own policy would forbid it.
    for (const change of [
      'document.documentElement.style.setProperty("--row", "34px")',
      'document.documentElement.style.setProperty("--bg-frame", "#c8ccd0")',
      'document.querySelector("main").style.marginLeft = "24px"',
      'document.querySelector(".histogram").style.visibility = "hidden"',
    ]) {
      await page.evaluate(change);
      const differs = difference(await picture(page), sound);
      if (process.env['SHOW_DIFFERENCES'] === '1') console.log(change, differs);
      expect(differs, change).toBeGreaterThan(POINT_TOLERANCE);
      await page.evaluate(`document.querySelectorAll('[style]').forEach((element) => {
        for (const name of ['--row', '--bg-frame', 'margin-left', 'visibility'])
          if (element.matches(':root, main, .histogram')) element.style.removeProperty(name);
      })`);
    }
  });

  for (const theme of ['light', 'dark'] as const) {
    it(`disconnected, ${theme}`, async () => {
      await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
      if (theme === 'light') {
        await page.goto('about:blank');
        await page.goto(new URL(agent.consoleUrl!).origin);
        await timeline(page, 'has:rule');
        await agent.stop();
      }
      await page.getByText('Not connected to the agent').first().waitFor();
      expect(await differenceFrom(page, `disconnected-${theme}`), ADVICE).toBeLessThanOrEqual(
        POINT_TOLERANCE,
      );
    });
  }
});
