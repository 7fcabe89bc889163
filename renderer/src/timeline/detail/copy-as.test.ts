import { execFileSync } from 'node:child_process';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { shellArg, shellCommand, sigmaSelection } from './copy-as.ts';

describe('a command line for a shell', () => {
  it('is read back by bash as the same arguments, and holds nothing a terminal obeys', () => {
    const args = ['~', '$HOME', 'a b', "it's", '\u001B[31m', '\u001B1f', '\\', 'é\n', '', '*', '-n', '💥9'];
    expect(shellCommand(args)).toMatch(/^[\x20-\x7e]*$/);
    const script = `printf '%s\\0' ${shellCommand(args)}`;
    expect(execFileSync('/bin/bash', ['-c', script]).toString().split('\0').slice(0, -1)).toEqual(args);
  });
  it('is one printable word for every text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (arg) => {
        expect(shellArg(arg)).toMatch(/^[\x20-\x7e]+$/);
      }),
    );
  });
});

describe('a Sigma selection', () => {
  it('is YAML that matches only what was seen', () => {
    const event = {
      eventId: '1',
      eventVersion: 1,
      type: 'process',
      action: 'exec',
      lane: 'security' as const,
      tsNs: '1',
      severity: 'info' as const,
      process: { pid: 1, startNs: '1', name: 'x', executable: '/tmp/*', argv: ['x', 'a: "b"\n\u202E', '\\'] },
    };
    expect(parse(sigmaSelection(event))).toEqual({
      selection: { Image: '/tmp/\\*', CommandLine: 'x a: "b"\n\u202E \\\\' },
    });
  });
});
