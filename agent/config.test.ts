import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from './config.ts';

const directory = mkdtempSync(join(tmpdir(), 'sentinel-config-'));
function file(content: string | Buffer): string {
  const path = join(directory, `${Math.random().toString(36).slice(2)}.yaml`);
  writeFileSync(path, content);
  return path;
}

describe('configuration', () => {
  it('takes the command line over the environment over the file over the default, and says so', () => {
    const path = file('console:\n  port: 1000\nlog:\n  level: warn\nrules:\n  paths: [/a, /b]\n');
    const config = loadConfig({
      file: path,
      environment: { SENTINEL_CONSOLE_PORT: '2000', SENTINEL_METRICS_INTERVAL_MS: '5000', HOME: '/root' },
      flags: new Map([['console.port', { text: '3000', origin: '--port' }]]),
    });
    expect(config.values['console.port']).toBe(3000);
    expect(config.origins['console.port']).toBe('--port');
    expect(config.values['metrics.intervalMs']).toBe(5000);
    expect(config.origins['metrics.intervalMs']).toBe('$SENTINEL_METRICS_INTERVAL_MS');
    expect(config.values['log.level']).toBe('warn');
    expect(config.origins['log.level']).toBe(`${path}:4`);
    expect(config.values['rules.paths']).toEqual(['/a', '/b']);
    expect(config.origins['wal.maxBytes']).toBe('default');
  });

  it('names file, line, allowed values and the nearest name, for all problems at once', () => {
    const path = file('console:\n  prot: 1\n  port: 70000\nlog: {level: loud}\nscope: everything\n');
    expect(() => loadConfig({ file: path })).toThrow(
      expect.objectContaining({
        message: [
          `${path}:2: there is no setting console.prot; did you mean console.port?`,
          `${path}:3: console.port is 70000; allowed: a whole number from 0 to 65535`,
          `${path}:4: log.level is "loud"; allowed: debug, info, warn, error`,
          `${path}:5: scope is "everything"; allowed: host, cgroup:PATH or pid:N`,
        ].join('\n'),
      }),
    );
  });

  it.each([
    ['broken YAML', 'a: [1, 2\nb: "', /:\d+: /],
    ['a list at the top', '- a\n- b\n', /:1: expected settings/],
    ['binary garbage', Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 0xff, 0xfe, 0x80]), /not UTF-8 text/],
    ['NUL bytes', 'a: b\0', /NUL bytes/],
    ['a missing value', 'scope:\n', /scope is null/],
  ])('refuses %s with a clear message', (_, content, message) => {
    expect(() => loadConfig({ file: file(content) })).toThrow(message);
  });

  it('refuses a misspelt variable but leaves the reserved ones alone', () => {
    expect(() => loadConfig({ environment: { SENTINEL_CONSOLE_PROT: '1' } })).toThrow(
      /did you mean SENTINEL_CONSOLE_PORT/,
    );
    expect(loadConfig({ environment: { SENTINEL_DATA: '/x', SENTINEL_TEST_X: '1' } }).values.scope).toBe(
      'host',
    );
  });

  it('says which file could not be read and why', () => {
    expect(() => loadConfig({ file: '/nonexistent/sentinel.yaml' })).toThrow(
      /cannot read the configuration .*ENOENT/,
    );
  });
});
