import { existsSync, openSync, closeSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { SentinelEvent } from './event.ts';
import { classify, classifyCommand } from './shield/classify.ts';
import { shieldEvent, shieldRecord } from './shield-event.ts';
import { neutralise } from './neutralise.ts';
import { shieldSamples, type Sample } from './shield/samples.ts';

interface Score {
  precision: number;
  recall: number;
  hostile: number;
  harmless: number;
}

function score(samples: readonly Sample[]): Score {
  let [caught, hostile, wrong] = [0, 0, 0];
  for (const { text, kind, hostile: bad } of samples) {
    const flagged = classify(text, kind).verdict !== 'benign';
    hostile += bad ? 1 : 0;
    caught += bad && flagged ? 1 : 0;
    wrong += !bad && flagged ? 1 : 0;
  }
  return {
    precision: caught / (caught + wrong),
    recall: caught / hostile,
    hostile,
    harmless: samples.length - hostile,
  };
}

/** Lines of scripts and manuals of this machine: maintainer scripts, programs that are scripts, manual pages. */
function* realLines(max: number): Iterable<string> {
  const seen = new Set<string>();
  const fresh = (text: string): string[] =>
    text
      .split('\n')
      .map((line) => line.trim())
      .filter(
        (line) =>
          line.length > 2 &&
          line.length <= 4096 &&
          !line.startsWith('#') &&
          !line.startsWith('.\\"') &&
          !seen.has(line),
      );
  const folders: [string, RegExp][] = [
    ['/var/lib/dpkg/info', /\.(?:preinst|postinst|prerm|postrm)$/],
    ['/usr/bin', /./],
    ['/usr/sbin', /./],
    ['/etc/init.d', /./],
    ['/usr/share/bash-completion/completions', /./],
    ['/usr/share/man/man1', /\.gz$/],
    ['/usr/share/man/man8', /\.gz$/],
    ['/usr/share/man/man5', /\.gz$/],
    ['/usr/share/man/man7', /\.gz$/],
    ['/usr/share/perl/5.36/pod', /\.pod$/],
    ['/usr/share/vim/vim90/doc', /\.txt$/],
  ];
  for (const [folder, names] of folders) {
    if (!existsSync(folder)) continue;
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      if (
        !names.test(name) ||
        !existsSync(path) ||
        !statSync(path).isFile() ||
        statSync(path).size > 1_000_000
      )
        continue;
      if (folder.endsWith('bin') && !isScript(path)) continue;
      const bytes = readFileSync(path);
      for (const line of fresh((name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8'))) {
        if (seen.has(line)) continue;
        seen.add(line);
        yield line;
        if (seen.size >= max) return;
      }
    }
  }
}

function isScript(path: string): boolean {
  const head = Buffer.alloc(2);
  const fd = openSync(path, 'r');
  readSync(fd, head);
  closeSync(fd);
  return head.toString('latin1') === '#!';
}

describe('shield', () => {
  it('finds the published families in samples that were not looked at while its rules were written', () => {
    const held = score(shieldSamples().filter(({ part }) => part === 'held'));
    console.log('shield, held-back samples:', held);
    expect(held.hostile).toBeGreaterThan(150);
    expect(held.recall).toBeGreaterThan(0.9);
    expect(held.precision).toBeGreaterThan(0.95);
  });

  it('leaves what scripts and manuals of this machine hold alone, with one in 2,000 wrong at most', () => {
    let [lines, suspicious, malicious] = [0, 0, 0];
    const wrong: string[] = [];
    for (const line of realLines(100_000)) {
      lines += 1;
      const { verdict, reasons } = classifyCommand(line.split(' '));
      if (verdict === 'suspicious') suspicious += 1;
      if (verdict === 'malicious') malicious += 1;
      if (verdict !== 'benign' && wrong.length < 200)
        wrong.push(
          `${verdict} ${reasons.map(({ kind, detail }) => `${kind} (${detail})`).join(', ')}: ${line.slice(0, 160)}`,
        );
    }
    console.log('shield, real lines:', { lines, suspicious, malicious });
    if (process.env['SENTINEL_SHIELD_SHOW']) console.log(wrong.join('\n'));
    if (lines < 1000) console.warn('this machine has hardly any scripts and manuals: the rate says little');
    expect((suspicious + malicious) / Math.max(lines, 2000)).toBeLessThan(1 / 2000);
  });

  it('shows a copy that no terminal, browser, spreadsheet or model acts on', () => {
    for (const { text, kind, hostile } of shieldSamples()) {
      const classified = classify(text, kind);
      const safe = neutralise(text, classified);
      // eslint-disable-next-line no-control-regex
      expect(safe).not.toMatch(
        /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]|[\u{e0000}-\u{e007f}]/u,
      );
      if (!hostile || classified.verdict === 'benign') continue;
      expect(safe.startsWith('[untrusted, ')).toBe(true);
      if (classified.reasons.some((reason) => reason.kind === 'prompt_injection'))
        expect(safe.toLowerCase()).not.toContain('all previous instructions');
      if (classified.reasons.some((reason) => reason.kind === 'markup')) expect(safe).not.toContain('<');
    }
  });

  it('states a malicious text as an event about the event, with the process and the neutral copy', () => {
    const event: SentinelEvent = {
      eventId: 42,
      type: 'process',
      action: 'exec',
      lane: 'security',
      tsNs: 5n,
      severity: 'info',
      process: {
        pid: 7,
        startNs: 1n,
        name: 'touch',
        executable: '/usr/bin/touch',
        argv: ['touch', '/tmp/a\u001b[2Jb'],
      },
    };
    const found = shieldEvent(event);
    expect(found?.verdict).toBe('malicious');
    const made = found && shieldRecord(event, found);
    expect(made).toMatchObject({
      type: 'shield',
      process: { pid: 7 },
      details: { shield_of: '42', field: 'process.argv', kinds: 'terminal_escape' },
    });
    expect(made?.details?.['neutral']).toContain('\\x1b[2J');
    expect(shieldEvent({ ...event, process: { ...event.process!, argv: ['ls', '-la'] } })).toBeUndefined();
  });
});
