/** The native validators against python3-stdnum (Debian) and, where it has none, the issuer's own words. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { buildDlpDriver, canBuildDriver, runDriver } from './dlp-driver.ts';

const root = join(import.meta.dirname, '..', '..');
const cache = join(root, 'out', 'cache', 'stdnum');
const packages = join(cache, 'usr', 'lib', 'python3', 'dist-packages');

const imports = (python: string, path?: string) =>
  spawnSync(python, ['-c', 'import stdnum.us.ssn'], {
    env: { ...process.env, ...(path !== undefined && { PYTHONPATH: path }) },
  }).status === 0;

/** How the oracle is run: installed, or unpacked from Debian's package; undefined if it cannot be had. */
function findOracle(): { python: string; path?: string } | undefined {
  for (const python of ['python3', '/usr/bin/python3']) {
    if (imports(python)) return { python };
    if (imports(python, packages)) return { python, path: packages };
  }
  mkdirSync(cache, { recursive: true });
  spawnSync('apt-get', ['download', '-q', 'python3-stdnum'], { cwd: cache, timeout: 60_000 });
  const file = readdirSync(cache).find((name) => name.startsWith('python3-stdnum_') && name.endsWith('.deb'));
  if (file !== undefined) spawnSync('dpkg-deb', ['-x', join(cache, file), cache]);
  for (const python of ['python3', '/usr/bin/python3'])
    if (imports(python, packages)) return { python, path: packages };
  return undefined;
}

/** Numbers of the kinds in validators.h, in the oracle's words. */
const header = readFileSync(join(root, 'native-addon/src/dlp/validators.h'), 'utf8');
const kinds = [...header.matchAll(/^ {2}k([A-Z]\w+),/gm)].map((match) => match[1]!);
const kindNumber = (name: string) => {
  const camel = name.replaceAll(/(^|_)([a-z])/g, (_, _under, letter: string) => letter.toUpperCase());
  const known = kinds.indexOf(camel);
  if (known < 0) throw new Error(`validators.h has no ${camel}`);
  return known;
};

const oracle = canBuildDriver ? findOracle() : undefined;
if (!oracle)
  console.warn('SKIPPED: validators against an oracle: needs g++ and python3-stdnum (apt-get install)');

describe.skipIf(!oracle)('validators', () => {
  let driver = '';
  beforeAll(() => {
    driver = buildDlpDriver();
  });
  const judge = (lines: readonly (readonly [string, string])[]): number[] => {
    const text = lines.map(([kind, number]) => `${kindNumber(kind)} ${number}\n`).join('');
    return runDriver<number[]>(driver, [{ operation: 1, seed: 0, bytes: Buffer.from(text) }])[0]!;
  };

  test('agree with the oracle on thousands of valid and mutated numbers of each kind', () => {
    const { python, path } = oracle!;
    const said = spawnSync(
      python,
      [
        join(import.meta.dirname, 'dlp-oracle.py'),
        process.env['SENTINEL_TEST_NUMBERS'] ?? '1000',
        '20261121',
      ],
      {
        encoding: 'utf8',
        maxBuffer: 64 << 20,
        env: { ...process.env, ...(path !== undefined && { PYTHONPATH: path }) },
      },
    );
    expect(said.status, said.stderr).toBe(0);
    const cases = said.stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split(' ') as [string, string, string]);
    const verdicts = judge(cases.map(([kind, , number]) => [kind, number]));
    const byKind = new Map<string, number>();
    const different: string[] = [];
    for (const [index, [kind, expected, number]] of cases.entries()) {
      byKind.set(kind, (byKind.get(kind) ?? 0) + 1);
      if (verdicts[index] === Number(expected)) continue;
      if (!explained(kind, number, expected === '1')) different.push(`${kind} ${number}: oracle ${expected}`);
    }
    expect(different).toEqual([]);
    expect(Math.min(...byKind.values())).toBeGreaterThanOrEqual(2000);
    expect(cases.length).toBeGreaterThanOrEqual(76_000);
  });

  test('numbers that the issuers print are valid, and their neighbours are not', () => {
    const valid: [string, string][] = [
      ['card', '4111111111111111'],
      ['card', '378282246310005'],
      ['card', '30569309025904'],
      ['card', '6759649826438453'],
      ['iban', 'GB82WEST12345698765432'],
      ['iban', 'NO9386011117947'],
      ['iban', 'MT84MALT011000012345MTLCAST001S'],
      ['us_npi', '1234567893'],
      ['us_dea', 'AP5836727'],
      ['us_mbi', '1EG4TE5MK73'],
      ['in_pan', 'ALWPG5809L'],
      ['icd10', 'E119'],
      ['icd10', 'S72001A'],
      ['icd10', 'U071'],
      ['icd10', 'Z3A42'],
      ['icd10', 'M1A0110'],
      ['icd10', 'T36X5XA'],
    ];
    expect(judge(valid)).toEqual(valid.map(() => 1));
    const invalid: [string, string][] = [
      ['card', '4111111111111112'],
      ['card', '0000000000000000'],
      ['card', '411111111111111'],
      ['card', '9999999999999995'],
      ['iban', 'GB82WEST12345698765433'],
      ['iban', 'GB82WEST1234569876543'],
      ['iban', 'ZZ82WEST12345698765432'],
      ['us_ssn', '078051120'],
      ['us_npi', '1234567890'],
      ['us_dea', 'AP5836728'],
      ['icd10', 'U99'],
      ['icd10', 'E1'],
      ['icd10', 'AB1'],
      ['icd10', 'E1190000'],
      ['icd10', 'E1C'],
      ['us_dea', 'IP5836727'],
      ['us_mbi', '1SG4TE5MK73'],
      ['us_mbi', '0EG4TE5MK73'],
      ['br_cpf', '11111111111'],
    ];
    expect(judge(invalid)).toEqual(invalid.map(() => 0));
  });
});

/** Where this engine is right to differ. */
function explained(kind: string, number: string, oracleSaysValid: boolean): boolean {
  // Placeholders: all digits the same.
  if (oracleSaysValid && /^(\d)\1*$/.test(number)) return true;
  // The registry knows countries that the oracle's copy does not.
  if (kind === 'iban' && !oracleSaysValid && /^(FK|HN|MN|NI|OM|SO|YE)/.test(number)) return true;
  // The oracle shortens: leading zeros may be left out there.
  if ((kind === 'nl_bsn' || kind === 'il_id') && oracleSaysValid && number.length < 9) return true;
  // The oracle asks whether the person was born yet; the clock is no property of the number.
  if (kind === 'dk_cpr' && !oracleSaysValid && Number(number.slice(4, 6)) > 25) return true;
  // The same for people born since 2000, and the oracle does not look at month and day.
  if (kind === 'be_national')
    return oracleSaysValid
      ? Number(number.slice(2, 4)) % 20 > 12 || Number(number.slice(4, 6)) > 31
      : Number(number.slice(0, 2)) > 25;
  // The sign between date and number is a separator here, and Finland added letters for centuries in 2023.
  if (kind === 'fi_hetu' && !oracleSaysValid && /^\d{6}[B-FU-Y]?\d{3}\w$/.test(number)) return true;
  // The oracle does not look at the Federal Reserve's districts: 00 to 12, 21 to 32, 61 to 72 and 80.
  if (
    kind === 'us_routing' &&
    oracleSaysValid &&
    !/^(0\d|1[0-2]|2[1-9]|3[0-2]|6[1-9]|7[0-2]|80)/.test(number)
  )
    return true;
  // The tax office issues the groups 50 to 65 as well.
  if (kind === 'us_itin' && !oracleSaysValid && /^9\d\d(5\d|6[0-5])/.test(number)) return true;
  return false;
}
