import { execFileSync } from 'node:child_process';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { printable, shellQuote } from './printable.ts';

describe('printable', () => {
  it('leaves nothing that a terminal obeys', () => {
    const hostile = '\u001b]8;;http://x\u0007a\u001b]8;;\u0007 \u009b31m \u202Egpj.exe \u200b \u{e0041} a\nb';
    expect(printable(hostile)).toBe(
      '\\x1b]8;;http://x\\x07a\\x1b]8;;\\x07 \\x9b31m \\u{202e}gpj.exe \\u{200b} \\u{e0041} a\\nb',
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(printable(text)).not.toMatch(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
      }),
    );
  });
});

describe('shellQuote', () => {
  it('reads back as the same arguments in a real shell', () => {
    const argv = ['a b', "it's", '$(id)', '`id`', 'x\ny', '', '*', '-n', '😀', 'plain/path.c'];
    const read = execFileSync('sh', ['-c', `printf '%s\\0' ${shellQuote(argv)}`]).toString();
    expect(read.split('\0').slice(0, -1)).toEqual(argv);
  });
});
