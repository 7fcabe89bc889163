import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SentinelEvent } from './event.ts';
import { openIdentity } from './identity/identity.ts';
import { PolicyService } from './policy-service.ts';

let dataDir: string;
let onRecord: string[];
let takesRecords: boolean;

function open(): PolicyService {
  return new PolicyService({
    dataDir,
    identity: openIdentity(dataDir),
    enforcer: {
      reach: () => ({ mechanism: 'none', guarantee: 'alert only', reason: 'a test' }),
      apply: () => ({ refused: [] }),
      act: () => ({ state: 'none', mechanism: 'none', guarantee: 'alert only' }),
    },
    rules: { windowMs: 300_000, stableMs: 900_000, falsePositivePercent: 5 },
    clock: { wallMs: () => 1_800_000_000_000, monotonicMs: () => 0 },
    recordText: (_hash, text) => {
      if (takesRecords) onRecord.push(text);
      return takesRecords;
    },
  });
}

const text = (id: string, name: string, version = 1): string =>
  `id: ${id}\nversion: ${version}\nseverity: low\nwhen: process.name == "${name}"\naction: alert\n`;
const file = (name: string): string => join(dataDir, 'policies', name);

beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'sentinel-drafts-'));
  mkdirSync(join(dataDir, 'policies'));
  onRecord = [];
  takesRecords = true;
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

describe('saving a policy', () => {
  it('makes a new one a draft in a file of its own, with its text on record', () => {
    const saved = open().desk.save(text('mine', 'nc'), undefined);
    expect(saved.version).toMatchObject({ id: 'mine', version: 1, state: 'draft', inFiles: true });
    expect(readFileSync(file('mine.yml'), 'utf8')).toBe(text('mine', 'nc'));
    expect(onRecord).toEqual([text('mine', 'nc')]);
  });

  it('gives an edit the next version number and leaves what is in force as it was', () => {
    const policies = open();
    const { version: first } = policies.desk.save(text('mine', 'nc'), undefined);
    policies.step('mine', 'simulate', 'me');
    const { version } = policies.desk.save(text('mine', 'ncat'), first.hash);
    expect(version).toMatchObject({ version: 2, state: 'draft' });
    const states = policies.overview().policies.filter(({ id }) => id === 'mine');
    expect(states.map(({ version: number, state }) => [number, state])).toEqual([
      [1, 'simulating'],
      [2, 'draft'],
    ]);
    expect(policies.desk.difference('mine').meaning?.clauses).toEqual({
      added: ['process.name == "ncat"'],
      removed: ['process.name == "nc"'],
      kept: 0,
    });
  });

  it('refuses an edit of what somebody else changed meanwhile, also in the file itself', () => {
    const policies = open();
    const { version } = policies.desk.save(text('mine', 'nc'), undefined);
    writeFileSync(file('mine.yml'), text('mine', 'by hand', 7));
    expect(() => policies.desk.save(text('mine', 'ncat'), version.hash)).toThrow('changed meanwhile');
    expect(() => policies.desk.save(text('mine', 'ncat'), undefined)).toThrow(
      'there is a policy mine already',
    );
    expect(() => policies.desk.save(text('new', 'x'), version.hash)).toThrow('not there any more');
    expect(readFileSync(file('mine.yml'), 'utf8')).toBe(text('mine', 'by hand', 7));
  });

  it('writes an edit of a bundled policy into the data folder', () => {
    const policies = open();
    const { text: starter, hash } = policies.get('reverse-shell');
    const { version, file: path } = policies.desk.save(
      starter.replace('action: kill', 'action: alert'),
      hash,
    );
    expect(path).toBe(file('reverse-shell.yml'));
    expect(version).toMatchObject({ version: 2, action: 'alert' });
  });

  it('replaces one policy of a file that holds several', () => {
    writeFileSync(file('both.yml'), `${text('one', 'a')}---\n${text('two', 'b')}`);
    const policies = open();
    policies.desk.save(text('two', 'c'), policies.get('two').hash);
    expect(policies.get('one').text).toBe(text('one', 'a'));
    expect(policies.get('two').text).toBe(text('two', 'c', 2));
    expect(policies.overview().problems).toEqual([]);
  });

  it.each([
    ['a text with a mistake', () => text('mine', 'nc').replace('process.name', 'process.nmae'), '4:7'],
    ['two policies at once', () => `${text('mine', 'a')}---\n${text('other', 'b')}`, 'holds 2 policies'],
    ['a file in the way', () => (writeFileSync(file('mine.yml'), 'id: ['), text('mine', 'nc')), 'in the way'],
  ])('refuses %s and writes nothing', (_name, make, reason) => {
    const policies = open();
    expect(() => policies.desk.save(make(), undefined)).toThrow(reason);
    expect(onRecord).toEqual([]);
  });

  it('saves nothing that cannot be put on record', () => {
    takesRecords = false;
    const policies = open();
    expect(() => policies.desk.save(text('mine', 'nc'), undefined)).toThrow('takes no records');
    expect(() => readFileSync(file('mine.yml'))).toThrow('ENOENT');
  });
});

describe('an exception drafted from an event', () => {
  const event: SentinelEvent = {
    eventId: 8,
    type: 'process',
    action: 'exec',
    lane: 'security',
    tsNs: 1n,
    severity: 'info',
    process: { pid: 1, startNs: 1n, name: 'nc', executable: '/usr/bin/nc', argv: ['nc', '-z'], uid: 0 },
  };
  const asked = { owner: 'alice', reason: 'a probe', expires: '2030-01-01' };

  it('asks for all that the event has, and saved it lets that event pass and no other', () => {
    const policies = open();
    policies.desk.save(text('mine', 'nc'), undefined);
    const draft = policies.desk.draftException('mine', event, asked);
    expect(draft).toMatchObject({ excepts: true, version: 2 });
    expect(draft.when).toContain('process.command_line == "nc -z"');
    const { target, active } = policies.desk.texts('mine', draft.text);
    expect(active?.policy.version).toBe(1);
    expect(target.policy.hash).toBe(draft.hash);
    expect(policies.desk.save(draft.text, draft.base).version.hash).toBe(draft.hash);
    policies.step('mine', 'simulate', 'me');
    expect(policies.engine.match(event)).toBeUndefined();
    const process = event.process!;
    expect(policies.engine.match({ ...event, process: { ...process, argv: ['nc', '-e'] } })).toHaveLength(1);
    expect(policies.get('mine').versions.at(-1)?.exceptions).toMatchObject([{ owner: 'alice', hits: 1 }]);
  });

  it('says when the event would be caught all the same, and refuses a condition that is none', () => {
    const policies = open();
    policies.desk.save(text('mine', 'nc'), undefined);
    const other = { ...asked, conditions: ['user.name == "bob"'] };
    expect(policies.desk.draftException('mine', event, other).excepts).toBe(false);
    expect(() => policies.desk.draftException('mine', event, { ...asked, conditions: ['nope ='] })).toThrow(
      'conditions',
    );
  });
});
