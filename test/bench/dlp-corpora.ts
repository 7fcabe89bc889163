/** What the DLP bench scans, and the tables it looks for: prose and source code of this checkout, CSV and noise made up. */
import { randomFillSync } from 'node:crypto';
import { closeSync, openSync, readdirSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { digits, email, iban, random } from '../dlp/tables.ts';

const MODULES = join(import.meta.dirname, '..', '..', 'node_modules');

export interface Corpus {
  name: 'prose' | 'CSV' | 'random' | 'code';
  path: string;
  bytes: number;
}

/** Files of node_modules with one of the endings, until there are `limit` bytes; repeated if there are fewer. */
function collect(endings: RegExp, limit: number): Buffer {
  const parts: Buffer[] = [];
  let total = 0;
  const visit = (folder: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (total >= limit) return;
      const path = join(folder, entry.name);
      if (entry.isDirectory()) visit(path);
      else if (entry.isFile() && endings.test(entry.name)) {
        const bytes = readFileSync(path).subarray(0, 400_000);
        parts.push(bytes);
        total += bytes.length;
      }
    }
  };
  visit(MODULES);
  const once = Buffer.concat(parts);
  const whole = Buffer.alloc(limit);
  for (let at = 0; at < limit; at += once.length) once.copy(whole, at);
  return whole;
}

/** An export of somebody else's customers: no value of it is protected. */
function csv(limit: number): Buffer {
  const from = random(21);
  const lines = ['id,name,mail,phone,born,amount,reference,iban'];
  let total = 0;
  for (let nth = 0; total < limit; nth++) {
    const name = `${from.pick(['anna', 'bob', 'carol', 'dave'])} ${from.pick(['smith', 'jones', 'brown'])}`;
    const line = `${100_000 + nth},${name},${from.pick(['anna', 'bob'])}${nth}@mail${nth % 50}.org,+49 ${digits(from, 3)} ${digits(from, 7)},19${40 + from.below(59)}-0${1 + from.below(9)}-1${from.below(9)},${from.below(9999)}.${digits(from, 2)},${digits(from, 16)},DE${digits(from, 20)}`;
    lines.push(line);
    total += line.length + 1;
  }
  return Buffer.from(lines.join('\n')).subarray(0, limit);
}

export function writeCorpora(dir: string, bytes: number): Corpus[] {
  const noise = randomFillSync(Buffer.alloc(bytes));
  const contents = {
    prose: collect(/\.(md|txt)$/, bytes),
    CSV: csv(bytes),
    random: noise,
    code: collect(/\.(js|mjs|cjs|ts|c|h)$/, bytes),
  };
  return Object.entries(contents).map(([name, content]) => {
    const path = join(dir, `${name}.bin`);
    writeFileSync(path, content);
    return { name: name as Corpus['name'], path, bytes: content.length };
  });
}

/**
 * A table with three values in each row: IBAN, 14-digit number and e-mail, or the first two. Also the values as lines,
 * for the peers.
 */
export function writeTable(
  dir: string,
  fingerprints: number,
  withMail = true,
): { csvPath: string; listPath: string } {
  const rows = Math.ceil(fingerprints / (withMail ? 3 : 2));
  const csvPath = join(dir, `table-${fingerprints}.csv`);
  const listPath = join(dir, `values-${fingerprints}.txt`);
  const from = random(fingerprints);
  const table = openSync(csvPath, 'w');
  const list = openSync(listPath, 'w');
  writeSync(table, withMail ? 'iban,account,mail\n' : 'iban,account\n');
  let lines: string[] = [];
  let values: string[] = [];
  for (let nth = 0; nth < rows; nth++) {
    const row = [iban(from), digits(from, 14)];
    if (withMail) row.push(email(from, nth));
    lines.push(row.join(','));
    if (fingerprints <= 1_000_000) values.push(...row);
    if (lines.length < 20_000 && nth < rows - 1) continue;
    writeSync(table, `${lines.join('\n')}\n`);
    if (values.length > 0) writeSync(list, `${values.join('\n')}\n`);
    lines = [];
    values = [];
  }
  closeSync(table);
  closeSync(list);
  return { csvPath, listPath };
}
