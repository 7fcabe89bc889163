import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BLOOM_BYTES,
  addAction,
  addSnapshot,
  addText,
  mayHaveAction,
  mayHaveSnapshot,
  mayHaveText,
} from './bloom.ts';
import { BlockError, joinHalves, packColumns, splitHigh, splitLow, unpackColumns } from './column-pack.ts';

const number = fc.oneof(
  fc.constant(Number.NaN),
  fc.nat(3),
  fc.nat(300),
  fc.nat(70_000),
  fc.maxSafeInteger(),
  fc.constantFrom(-1, 0, 4_294_967_295, 4_294_967_296, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 0.5),
);

describe('packed columns', () => {
  it('come back as they were, whatever the numbers', () => {
    const columns = fc.integer({ min: 1, max: 40 }).chain((rows) => {
      const column = fc.array(number, { minLength: rows, maxLength: rows });
      return fc.array(column, { minLength: 1, maxLength: 5 });
    });
    fc.assert(
      fc.property(columns, fc.nat(7), (values, shift) => {
        const rows = values[0]?.length ?? 0;
        const packed = packColumns(
          values.map((column) => Float64Array.from(column)),
          rows,
        );
        const moved = new Uint8Array(packed.length + shift);
        moved.set(packed, shift);
        const unpacked = unpackColumns(moved.subarray(shift), values.length);
        for (const [index, column] of values.entries()) {
          expect([...(unpacked[index]?.numbers ?? [])]).toEqual(
            column.map((value) => (value === 0 ? 0 : value)),
          );
          for (const [row, value] of column.entries()) {
            expect(unpacked[index]?.get(row)).toEqual(Number.isNaN(value) ? undefined : value);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it('take one byte a row where the range allows it, none where all agree', () => {
    const low = Float64Array.from({ length: 1000 }, (_, row) => 5_000_000 + (row % 200));
    const same = new Float64Array(1000).fill(7);
    expect(packColumns([low, same], 1000).length).toBeLessThan(1100);
  });

  it('refuse bytes that are none', () => {
    const packed = packColumns([Float64Array.from([1, 2, 300])], 3);
    for (const bytes of [packed.subarray(0, 5), packed.subarray(0, 26), new Uint8Array(64).fill(0xff)]) {
      expect(() => unpackColumns(bytes, 1)).toThrow(BlockError);
    }
    expect(() => unpackColumns(packed, 2)).toThrow(BlockError);
  });

  it('split and join 64-bit numbers', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 2n ** 64n - 1n), (value) => {
        const high = splitHigh(value);
        expect(joinHalves(high, splitLow())).toBe(value);
      }),
    );
  });
});

describe('filters of chunks', () => {
  it('never miss a number, and are seldom wrong about others', () => {
    const bloom = new Uint8Array(BLOOM_BYTES);
    const ids = Array.from({ length: 1800 }, (_, index) => index * 7 + 1);
    for (const id of ids) addText(bloom, id);
    addSnapshot(bloom, 3);
    addAction(bloom, 9);
    expect(ids.every((id) => mayHaveText(bloom, id))).toBe(true);
    expect([mayHaveSnapshot(bloom, 3), mayHaveAction(bloom, 9)]).toEqual([true, true]);
    const wrong = Array.from({ length: 20_000 }, (_, index) => 1_000_000 + index).filter((id) =>
      mayHaveText(bloom, id),
    );
    expect(wrong.length).toBeLessThan(400);
  });
});
