import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { builtIndex, KEY, schemaOf, type BuiltIndex } from '../../test/dlp/built-index.ts';
import { email, iban, person, random } from '../../test/dlp/tables.ts';
import type { SentinelError } from '../errors.ts';
import { createEngine } from './engine.ts';
import { openIndex } from './index-open.ts';
import { applyIndexRules, indexRuleProblems, type IndexRule } from './index-rules.ts';
import { parsePatternRules } from './rules.ts';
import type { DlpMatch, FileVerdict, IndexInfo } from './types.ts';

const rules = (text: string): readonly IndexRule[] =>
  parsePatternRules(`rules:\n  - ${text}\n`, 'r.yml').indexRules;

describe('rules that narrow an index', () => {
  const from = random(11);
  const rows = Array.from({ length: 40 }, (_, nth) => [
    iban(from),
    email(from, nth),
    person(from),
    `K${1000 + nth}Z`,
  ]);
  let built: BuiltIndex;
  let full: Awaited<ReturnType<typeof openIndex>>;

  beforeAll(async () => {
    const schema = schemaOf({
      name: 'customers',
      fields: [
        { column: 'iban', role: 'primary', type: 'iban' },
        { column: 'mail', role: 'primary', type: 'email' },
        { column: 'name', role: 'secondary', type: 'words' },
        { column: 'code', role: 'secondary', type: 'id' },
      ],
      secondary: 1,
      withinTokens: 12,
    });
    built = await builtIndex(schema, rows);
    full = await openIndex({ path: built.path, keys: [KEY], allSecondaries: true });
  });
  afterAll(() => built.remove());

  async function scan(text: string, narrow: readonly IndexRule[], maxMatches = 1000): Promise<FileVerdict> {
    const path = join(built.dir, 'text');
    writeFileSync(path, text);
    const fd = openSync(path, 'r');
    try {
      return await createEngine([full], undefined, narrow).scanFd(fd, path, { maxMatches });
    } finally {
      closeSync(fd);
    }
  }
  /** `with`: columns besides the iban. */
  const line = (row: readonly string[], ...columns: number[]): string =>
    `${row[0]} ${columns.map((at) => row[at]).join(' ')}\n${'filler words that say nothing at all here '.repeat(4)}\n`;

  it('wants at least so many of the secondaries named, of the primaries named', async () => {
    const text = line(rows[0]!, 2) + line(rows[1]!, 2, 3) + line(rows[2]!, 3);
    const of = async (rule: string): Promise<unknown[]> =>
      (await scan(text, rules(rule))).matches.map(({ rule: id, rowRef }) => [id, rowRef]);
    expect(await of('{id: any, kind: row, index: customers}')).toEqual([
      ['any', '1'],
      ['any', '2'],
      ['any', '3'],
    ]);
    expect(
      await of('{id: both, kind: row, index: customers, secondaries: [name, code], atLeast: 2}'),
    ).toEqual([['both', '2']]);
    expect(await of('{id: both, kind: row, index: customers, atLeast: 2}')).toEqual([['both', '2']]);
    expect(await of('{id: code, kind: row, index: customers, secondaries: [code]}')).toEqual([
      ['code', '2'],
      ['code', '3'],
    ]);
    expect(await of('{id: mail, kind: row, index: customers, primary: [mail]}')).toEqual([]);
    expect(
      (await scan(text, rules('{id: mail, kind: row, index: customers, primary: [mail]}'))).verdict,
    ).toBe('clean');
  });

  it('counts different rows, also those that are not listed', async () => {
    const many = rows.slice(0, 9).map((row) => line(row, 2) + line(row, 2));
    const ten = rules('{id: ten, kind: row, index: customers, minCount: 10}');
    expect((await scan(many.join(''), ten)).verdict).toBe('clean');
    const found = await scan(many.join('') + line(rows[9]!, 3), ten, 4);
    expect(found).toMatchObject({ verdict: 'match', unlisted: expect.any(Number) as number });
    expect(found.matches).toHaveLength(4);
    expect(found.matches[0]).toMatchObject({ index: 'customers', rule: 'ten', kind: 'row', type: 'iban' });
  });

  it('says which index or column is not there, and what there is', () => {
    const told = (rule: string): string => indexRuleProblems(rules(rule), [full.info()]).join();
    expect(told('{id: a, kind: row, index: customers, primary: [iban], secondaries: [name]}')).toBe('');
    expect(told('{id: a, kind: row, index: clients}')).toContain('not open; open are: customers');
    expect(told('{id: a, kind: document, index: customers}')).toContain('is an index of rows');
    expect(told('{id: a, kind: row, index: customers, primary: [name]}')).toContain(
      'no primary column name; it has: iban, mail',
    );
    expect(told('{id: a, kind: row, index: customers, secondaries: [city]}')).toContain('it has: name, code');
    expect(told('{id: a, kind: row, index: customers, atLeast: 3}')).toContain('wants 3 secondaries');
    const bare: IndexInfo = { ...full.info(), match: { secondary: 0, withinTokens: 24 } };
    expect(indexRuleProblems(rules('{id: a, kind: row, index: customers, atLeast: 1}'), [bare])[0]).toContain(
      'set match.secondary',
    );
  });
});

it('asks of a document how much of it is there and how sure that is', () => {
  const match = (index: string, containment: number): DlpMatch => ({
    index,
    rule: 'document',
    kind: 'document',
    type: 'minutes.txt',
    count: 1,
    offset: 0,
    length: 10,
    confidence: 0.9,
    containment,
  });
  const third = rules('{id: third, kind: document, index: board, minContainment: 0.3}');
  expect(applyIndexRules(third, [match('board', 0.29), match('board', 0.3), match('other', 0.1)])).toEqual([
    match('other', 0.1),
    { ...match('board', 0.3), rule: 'third' },
  ]);
  expect(
    applyIndexRules(rules('{id: s, kind: document, index: board, minConfidence: 0.95}'), [match('board', 1)]),
  ).toEqual([]);
});

it.each([
  ['§{id: a, kind: row}', /names no index/, /index: NAME/],
  ['{id: a, kind: row, index: c, withinTokens: §3}', /part of the index/, /schema/],
  ['{id: a, kind: row, index: c, secondaries: [x], atLeast: §2}', /atLeast/, /from 0 to 1/],
  ['{id: a, kind: row, index: c, minCount: §0}', /minCount/, /from 1/],
  ['{id: a, kind: document, index: c, minContainment: §30}', /minContainment/, /from 0 to 1/],
  ['{id: a, kind: document, index: c, atLeast: §3}', /a document rule has no atLeast/, /minContainment/],
  ['{id: a, kind: §rows, index: c}', /no such kind/, /pattern, row and document/],
])('a mistake in %s is told with its place', (text, words, remedy) => {
  try {
    rules(text.replace('§', ''));
  } catch (error) {
    expect((error as SentinelError).message).toMatch(words);
    expect((error as SentinelError).message).toContain(`r.yml:2:${5 + text.indexOf('§')}:`);
    expect((error as SentinelError).remedy).toMatch(remedy);
    return;
  }
  throw new Error('no error');
});
