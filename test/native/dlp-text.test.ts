/** The native text decoder against Node's own decoders, and any chunking against the whole. */
import { beforeAll, describe, expect, test } from 'vitest';
import { buildDlpDriver, canBuildDriver, runDriver } from './dlp-driver.ts';

interface Decoded {
  text: string;
  offsets: number[];
  end: number;
  cut?: boolean;
}

const english = 'The quick brown fox, invoice 4711; reference 12-34.\r\nNext line follows. ';
const spanish = 'José Muñoz vivía en la calle Ávila nº 12, señor “comillas” y 30 € más.\n';
const chinese = '个人信息保护法规定，处理个人信息应当具有明确、合理的目的。身份证号码。';
const japanese = 'ひらがなとカタカナと漢字がまざった文章です。電話番号。';
const russian = 'Паспорт серия 4510 номер 123456, выдан отделением.\n';
const emoji = 'plane 1: 😀𝒳 and done. ';

const utf16be = (text: string) => Buffer.from(text, 'utf16le').swap16();
const hex = (text: string) => Buffer.from(text, 'utf8').toString('hex');

/** The offset of each character if a code unit takes `unit` bytes. */
function utf16Offsets(text: string, from: number): number[] {
  const offsets: number[] = [];
  for (const character of text) {
    offsets.push(from);
    from += character.length * 2;
  }
  return offsets;
}

describe.skipIf(!canBuildDriver)('text decoder (skipped: no g++)', () => {
  let driver = '';
  beforeAll(() => {
    driver = buildDlpDriver();
  });
  const decode = (inputs: readonly Uint8Array[], seed = 0): Decoded[] =>
    runDriver<Decoded>(
      driver,
      inputs.map((bytes) => ({ operation: 0, seed, bytes })),
    );

  test('UTF-16 is told with and without a byte order mark, in either order, at any length', () => {
    for (const sample of [english, spanish, chinese, japanese, russian, emoji + english, 'ab', '4111 1111'])
      for (const times of [1, 40]) {
        const text = sample.repeat(times);
        const results = decode([
          Buffer.from(text, 'utf16le'),
          utf16be(text),
          Buffer.from('\uFEFF' + text, 'utf16le'),
          utf16be('\uFEFF' + text),
        ]);
        for (const [index, result] of results.entries()) {
          expect(result.text, `${text.slice(0, 12)} x${times} #${index}`).toBe(hex(text));
          expect(result.offsets).toEqual(utf16Offsets(text, index < 2 ? 0 : 2));
        }
      }
  });

  test('UTF-8 comes through as it is, without its byte order mark', () => {
    const texts = [english, spanish, chinese, japanese, russian, emoji].map((text) => text.repeat(30));
    const plain = decode(texts.map((text) => Buffer.from(text)));
    for (const [index, result] of plain.entries()) expect(result.text).toBe(hex(texts[index]!));
    const marked = decode(texts.map((text) => Buffer.from('\uFEFF' + text)));
    for (const [index, result] of marked.entries()) {
      expect(result.text).toBe(hex(texts[index]!));
      expect(result.offsets[0]).toBe(3);
    }
  });

  test('Latin-1 and Windows-1252 become UTF-8 with the right offsets', () => {
    const text = 'Señora Müller-Größe, café, naïve; garçon à Besançon. '.repeat(40);
    const [result] = decode([Buffer.from(text, 'latin1')]);
    expect(result!.text).toBe(hex(text));
    expect(result!.offsets).toEqual(Array.from(text, (_, index) => index));
    const [quotes] = decode([Buffer.from([0x93, 0x61, 0x94, 0x20, 0x80, 0x35, 0x85])]);
    expect(Buffer.from(quotes!.text, 'hex').toString()).toBe('“a” €5…');
  });

  test('a file that changes its encoding on the way is read to the end', () => {
    const parts: Buffer[] = [];
    const pad = (bytes: Buffer) => {
      const filler = (1024 - (bytes.length % 1024)) % 1024;
      return Buffer.concat([bytes, Buffer.alloc(filler, 0)]);
    };
    parts.push(pad(Buffer.from([0, 1, 2, 3, 250, 251, 0, 9])));
    parts.push(Buffer.from(english.repeat(200), 'utf16le').subarray(0, 4096));
    parts.push(Buffer.from(english.repeat(200)).subarray(0, 4096));
    parts.push(Buffer.from(spanish.replaceAll(/[“”€]/g, '').repeat(200), 'latin1').subarray(0, 4096));
    parts.push(Buffer.from('the end 4711'));
    const [result] = decode([Buffer.concat(parts)]);
    const text = Buffer.from(result!.text, 'hex').toString();
    expect(text.match(/invoice 4711; reference/g)!.length).toBeGreaterThan(60);
    expect(text).toContain('José Muñoz vivía');
    expect(text.endsWith('the end 4711')).toBe(true);
  });

  test('a false byte order mark does not hide plain text', () => {
    const [result] = decode([Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(english.repeat(20))])]);
    expect(Buffer.from(result!.text, 'hex').toString()).toBe(english.repeat(20));
  });

  test('any chunking gives the same text and offsets', () => {
    let state = 7;
    const random = (below: number) => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) % below;
    const samples = [english, spanish, chinese, japanese, russian, emoji];
    const inputs: Buffer[] = [];
    for (let round = 0; round < 120; round++) {
      const parts: Buffer[] = [];
      if (random(4) === 0)
        parts.push(
          Buffer.from(
            [
              [0xff, 0xfe],
              [0xfe, 0xff],
              [0xef, 0xbb, 0xbf],
            ][random(3)]!,
          ),
        );
      for (let part = random(6); part >= 0; part--) {
        const text = samples[random(samples.length)]!.repeat(1 + random(40));
        const kind = random(6);
        if (kind === 0) parts.push(Buffer.from(text, 'utf16le'));
        else if (kind === 1) parts.push(utf16be(text));
        else if (kind === 2) parts.push(Buffer.from(text, 'latin1'));
        else if (kind === 3) parts.push(Buffer.from(Array.from({ length: random(3000) }, () => random(256))));
        else parts.push(Buffer.from(text));
        if (random(3) === 0) parts.push(Buffer.from([random(256)]));
      }
      inputs.push(Buffer.concat(parts));
    }
    const whole = decode(inputs);
    for (const seed of [1, 2, 99])
      for (const [index, result] of decode(inputs, seed).entries())
        expect(result, `input ${index}, chunks ${seed}`).toEqual(whole[index]);
    for (const [index, result] of whole.entries()) {
      expect(result.cut).toBeUndefined();
      expect(result.end).toBeLessThanOrEqual(inputs[index]!.length);
      for (let i = 1; i < result.offsets.length; i++)
        expect(result.offsets[i]! > result.offsets[i - 1]!, `input ${index}`).toBe(true);
    }
  });
});
