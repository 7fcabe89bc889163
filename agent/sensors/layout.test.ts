import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as layout from './layout.ts';
import { OPCODES } from './opcodes.ts';

const compiler = ['cc', 'gcc', 'clang'].find((name) => spawnSync(name, ['--version']).status === 0);
if (compiler === undefined) console.warn('layout.test: no C compiler, the C layout is not compared');

const STRUCTS = {
  header: layout.Header,
  fork: layout.Fork,
  exit: layout.Exit,
  proc: layout.Proc,
  file: layout.File,
  net: layout.Net,
  rare: layout.Rare,
} as const;

/** Offsets of every member and values of every constant, as the C compiler sees them. */
function measure(): Record<string, number> {
  const rows: string[] = [];
  for (const [name, members] of Object.entries(STRUCTS)) {
    for (const member of Object.keys(members)) {
      if (member === 'size') rows.push(`${name}.size sizeof(struct sn_${name})`);
      else rows.push(`${name}.${member} offsetof(struct sn_${name},${member.replace('size_', 'size')})`);
    }
  }
  for (const type of Object.keys(layout.Type)) rows.push(`type.${type} SN_${type}`);
  for (const flag of Object.keys(layout.Flag)) rows.push(`flag.${flag} SN_F_${flag}`);
  for (const kind of Object.keys(layout.StrKind)) rows.push(`kind.${kind} SN_STR_${kind}`);
  for (const flag of Object.keys(layout.StrFlag)) rows.push(`strflag.${flag} SN_STR_${flag}`);
  rows.push('str.size sizeof(struct sn_str)', 'version SN_VERSION', 'max SN_RECORD_MAX');
  const program = `#include <stddef.h>
#include <stdio.h>
#include "events.h"
int main(void){${rows
    .map((row) => {
      const [name, expression] = row.split(' ');
      return `printf("%s %llu\\n","${name}",(unsigned long long)(${row.slice((name ?? '').length + 1) || expression}));`;
    })
    .join('\n')}return 0;}`;
  const directory = mkdtempSync(join(tmpdir(), 'sentinel-layout-'));
  try {
    writeFileSync(join(directory, 'measure.c'), program);
    const include = join(import.meta.dirname, '..', '..', 'native-addon', 'src', 'linux');
    const binary = join(directory, 'measure');
    execFileSync(compiler as string, ['-I', include, '-o', binary, join(directory, 'measure.c')]);
    const lines = execFileSync(binary, { encoding: 'utf8' }).trim().split('\n');
    return Object.fromEntries(lines.map((line) => [line.split(' ')[0], Number(line.split(' ')[1])]));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

describe('record layout', () => {
  it.skipIf(compiler === undefined)('equals the C structs of events.h (skipped: needs a C compiler)', () => {
    const expected: Record<string, number> = {};
    for (const [name, members] of Object.entries(STRUCTS)) {
      for (const [member, offset] of Object.entries(members)) expected[`${name}.${member}`] = offset;
    }
    for (const [name, value] of Object.entries(layout.Type)) expected[`type.${name}`] = value;
    for (const [name, value] of Object.entries(layout.Flag)) expected[`flag.${name}`] = value;
    for (const [name, value] of Object.entries(layout.StrKind)) expected[`kind.${name}`] = value;
    for (const [name, value] of Object.entries(layout.StrFlag)) expected[`strflag.${name}`] = value;
    expected['str.size'] = layout.STR_SIZE;
    expected['version'] = layout.SN_VERSION;
    expected['max'] = layout.RECORD_MAX;
    expect(measure()).toEqual(expected);
  });

  it('has an opcode row for every type', () => {
    expect(Object.values(layout.Type).map((code) => OPCODES[code]?.code)).toEqual(Object.values(layout.Type));
  });
});
