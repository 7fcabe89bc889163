import { expect, it } from 'vitest';
import { FRAME_LAST, FRAME_MEMBER, FRAME_TEXT, frameHeader, FrameReader, MAX_FRAME_BYTES } from './frames.ts';
import { randomOf } from './fuzz.ts';

it('cuts a stream into the same frames, however it comes', () => {
  const random = randomOf(3);
  const sizes = [0, 1, 4, 5, 70_000, MAX_FRAME_BYTES - 1, ...Array.from({ length: 200 }, () => random(600))];
  const frames = sizes.map((size, index) => ({
    kind: [FRAME_MEMBER, FRAME_TEXT, FRAME_LAST][index % 3] ?? FRAME_TEXT,
    payload: Buffer.alloc(size, index),
  }));
  const stream = Buffer.concat(
    frames.flatMap(({ kind, payload }) => [frameHeader(kind, payload.length), payload]),
  );
  for (const most of [1, 3, 7, 100, 65_536, stream.length]) {
    const reader = new FrameReader();
    let next = 0;
    for (let at = 0; at < stream.length;) {
      const size = most === stream.length ? most : 1 + random(most);
      for (const { kind, payload } of reader.push(Buffer.from(stream.subarray(at, at + size)))) {
        const expected = frames[next++];
        if (kind !== expected?.kind || !payload.equals(expected.payload))
          expect.fail(`frame ${next - 1}, ${most}`);
      }
      at += size;
    }
    expect(next).toBe(frames.length);
  }
});

it.each([
  ['no length', [0, 0, 0, 0, FRAME_TEXT]],
  ['too long', [1, 0, 4, 0, FRAME_TEXT]],
  ['of no kind', [5, 0, 0, 0, 9]],
])('refuses a frame %s, in one piece or byte by byte', (_what, bytes) => {
  const bad = Buffer.from([...bytes, 1, 2, 3, 4]);
  expect(() => [...new FrameReader().push(bad)]).toThrow('not a frame');
  const reader = new FrameReader();
  expect(() => {
    for (const byte of bad) for (const _ of reader.push(Buffer.from([byte]))) expect.fail();
  }).toThrow('not a frame');
});
