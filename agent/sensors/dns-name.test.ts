import { describe, expect, it } from 'vitest';
import { questionOf } from './dns-name.ts';

/** Wire form of labels followed by type and class. */
function wire(labels: Buffer[], type: number): Buffer {
  const parts = labels.flatMap((label) => [Buffer.from([label.length]), label]);
  return Buffer.concat([...parts, Buffer.from([0, type >> 8, type & 0xff, 0, 1])]);
}
const ask = (bytes: Buffer): { name: string; type: number; cut: boolean } =>
  questionOf(bytes, 0, bytes.length);

describe('DNS question', () => {
  it('reads a name and its type', () => {
    // The question of RFC 1035's style, as captured by a resolver for example.com AAAA.
    const bytes = Buffer.from('076578616d706c6503636f6d00001c0001', 'hex');
    expect(ask(bytes)).toEqual({ name: 'example.com', type: 28, cut: false });
  });

  it('escapes what would make the text ambiguous', () => {
    const bytes = wire([Buffer.from('a.b'), Buffer.from([0, 0x20, 0xff]), Buffer.from('c\\d')], 16);
    expect(ask(bytes).name).toBe('a\\.b.\\000\\032\\255.c\\\\d');
  });

  it('reads the root', () => {
    expect(ask(wire([], 2))).toEqual({ name: '.', type: 2, cut: false });
  });

  it('stops at the end of the bytes, at a pointer and at a label that runs past the end', () => {
    expect(ask(Buffer.from('\x05ab', 'latin1'))).toEqual({ name: 'ab', type: 0, cut: true });
    expect(ask(Buffer.from('01610c', 'hex'))).toEqual({ name: 'a.', type: 0, cut: true });
    expect(ask(Buffer.from('0161c00c', 'hex'))).toEqual({ name: 'a', type: 0, cut: true });
    expect(ask(Buffer.from('016100', 'hex'))).toEqual({ name: 'a', type: 0, cut: true });
    expect(ask(Buffer.alloc(0)).cut).toBe(true);
  });
});
