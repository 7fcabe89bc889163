/**
 * Columns of numbers as bytes. A block holds up to some thousand rows of several columns; each column takes the width
 * that its range needs, so that most take one to four bytes a row, or none when all rows agree.
 *
 * Layout, little-endian: u32 rows, u32 columns, then for each column 16 bytes {u8 codec, u8 nullable, u16 0, u32 offset,
 * f64 base}, then the data of each column, 8-aligned. Value = base + stored number; in nullable integer columns the
 * stored 0 stands for absent. Codecs: 0 all absent, 1 all equal base, 2 u8, 3 u16, 4 u32, 5 f64 (NaN absent, base 0).
 *
 * Invariants: integers up to 2^53 come back exactly; 64-bit numbers are kept as two columns of 32 bits.
 */

const HEADER_BYTES = 8;
const ENTRY_BYTES = 16;

const Codec = { absent: 0, constant: 1, u8: 2, u16: 3, u32: 4, f64: 5 } as const;

export type Numbers = Uint8Array | Uint16Array | Uint32Array | Float64Array;

/** One column of a block, read in place. */
export class Column {
  readonly rows: number;
  /** Absent when all rows agree. */
  readonly values: Numbers | undefined;
  readonly base: number;
  /** The stored 0 (or NaN in an f64 column) stands for absent. */
  readonly nullable: boolean;
  /** No row has a value. */
  readonly absent: boolean;
  private unpacked: Float64Array | undefined;

  constructor(rows: number, values: Numbers | undefined, base: number, nullable: boolean, absent: boolean) {
    this.rows = rows;
    this.values = values;
    this.base = base;
    this.nullable = nullable;
    this.absent = absent;
  }

  /** The row's value, NaN when it has none. */
  at(row: number): number {
    const { values } = this;
    if (!values) return this.absent ? Number.NaN : this.base;
    const stored = values[row] ?? 0;
    if (this.nullable && stored === 0 && !(values instanceof Float64Array)) return Number.NaN;
    return stored + this.base;
  }

  /** All values, NaN for absent ones; one kind of array, so that loops over it stay fast. */
  get numbers(): Float64Array {
    this.unpacked ??= unpack(this);
    return this.unpacked;
  }

  /** The row's value or undefined. */
  get(row: number): number | undefined {
    const value = this.at(row);
    return Number.isNaN(value) ? undefined : value;
  }
}

function unpackBytes(values: Uint8Array, base: number, nullable: boolean, out: Float64Array): void {
  for (let row = 0; row < out.length; row += 1) {
    const stored = values[row] ?? 0;
    out[row] = nullable && stored === 0 ? Number.NaN : stored + base;
  }
}

function unpackShorts(values: Uint16Array, base: number, nullable: boolean, out: Float64Array): void {
  for (let row = 0; row < out.length; row += 1) {
    const stored = values[row] ?? 0;
    out[row] = nullable && stored === 0 ? Number.NaN : stored + base;
  }
}

function unpackWords(values: Uint32Array, base: number, nullable: boolean, out: Float64Array): void {
  for (let row = 0; row < out.length; row += 1) {
    const stored = values[row] ?? 0;
    out[row] = nullable && stored === 0 ? Number.NaN : stored + base;
  }
}

function unpack({ rows, values, base, nullable, absent }: Column): Float64Array {
  const out = new Float64Array(rows);
  if (!values) out.fill(absent ? Number.NaN : base);
  else if (values instanceof Uint8Array) unpackBytes(values, base, nullable, out);
  else if (values instanceof Uint16Array) unpackShorts(values, base, nullable, out);
  else if (values instanceof Uint32Array) unpackWords(values, base, nullable, out);
  else out.set(values);
  return out;
}

const NO_NUMBERS = new Float64Array(0);

/** Values of a column that should be there. */
export function numbersOf(column: Column | undefined): Float64Array {
  return column?.numbers ?? NO_NUMBERS;
}

interface Shape {
  codec: number;
  nullable: boolean;
  base: number;
  bytes: number;
}

function shapeOf(column: Float64Array, rows: number): Shape {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  let nullable = false;
  let whole = true;
  for (let row = 0; row < rows; row += 1) {
    const value = column[row] ?? Number.NaN;
    // Only NaN differs from itself.
    if (value !== value) nullable = true;
    else {
      if (value < low) low = value;
      if (value > high) high = value;
      if (!Number.isSafeInteger(value)) whole = false;
    }
  }
  if (low > high) return { codec: Codec.absent, nullable: true, base: 0, bytes: 0 };
  if (low === high && !nullable) return { codec: Codec.constant, nullable: false, base: low, bytes: 0 };
  const range = high - low + (nullable ? 1 : 0);
  const base = nullable ? low - 1 : low;
  if (!whole || range > 0xffff_ffff || !Number.isSafeInteger(base)) {
    return { codec: Codec.f64, nullable, base: 0, bytes: 8 };
  }
  if (range <= 0xff) return { codec: Codec.u8, nullable, base, bytes: 1 };
  if (range <= 0xffff) return { codec: Codec.u16, nullable, base, bytes: 2 };
  return { codec: Codec.u32, nullable, base, bytes: 4 };
}

function viewOf(buffer: ArrayBuffer, codec: number, offset: number, rows: number): Numbers | undefined {
  switch (codec) {
    case Codec.u8:
      return new Uint8Array(buffer, offset, rows);
    case Codec.u16:
      return new Uint16Array(buffer, offset, rows);
    case Codec.u32:
      return new Uint32Array(buffer, offset, rows);
    case Codec.f64:
      return new Float64Array(buffer, offset, rows);
    default:
      return undefined;
  }
}

/** Packs the first `rows` numbers of each column; NaN stands for absent. */
export function packColumns(columns: readonly Float64Array[], rows: number): Uint8Array {
  const shapes = columns.map((column) => shapeOf(column, rows));
  let size = HEADER_BYTES + columns.length * ENTRY_BYTES;
  const offsets = shapes.map(({ bytes }) => {
    size = Math.ceil(size / 8) * 8;
    const at = size;
    size += bytes * rows;
    return at;
  });
  const buffer = new ArrayBuffer(size);
  const view = new DataView(buffer);
  view.setUint32(0, rows, true);
  view.setUint32(4, columns.length, true);
  for (const [index, { codec, nullable, base }] of shapes.entries()) {
    const entry = HEADER_BYTES + index * ENTRY_BYTES;
    const offset = offsets[index] ?? 0;
    view.setUint8(entry, codec);
    view.setUint8(entry + 1, nullable ? 1 : 0);
    view.setUint32(entry + 4, offset, true);
    view.setFloat64(entry + 8, base, true);
    const target = viewOf(buffer, codec, offset, rows);
    const source = columns[index];
    if (!target || !source) continue;
    if (codec === Codec.f64) target.set(source.subarray(0, rows));
    else pack(source, target, base, rows);
  }
  return new Uint8Array(buffer);
}

function pack(source: Float64Array, target: Numbers, base: number, rows: number): void {
  for (let row = 0; row < rows; row += 1) {
    const value = source[row] ?? Number.NaN;
    target[row] = value !== value ? 0 : value - base;
  }
}

/** Thrown for bytes that are no block; the store takes it for damage. */
export class BlockError extends Error {
  override readonly name = 'BlockError';
}

/** A block's columns, as views on the bytes (which are copied first when they are not aligned). */
export function unpackColumns(bytes: Uint8Array, count: number): Column[] {
  const aligned = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
  const buffer = aligned.buffer as ArrayBuffer;
  const start = aligned.byteOffset;
  const view = new DataView(buffer, start, aligned.byteLength);
  if (aligned.byteLength < HEADER_BYTES) throw new BlockError('a block is cut short');
  const rows = view.getUint32(0, true);
  const columns = view.getUint32(4, true);
  if (columns !== count || aligned.byteLength < HEADER_BYTES + columns * ENTRY_BYTES) {
    throw new BlockError(`a block has ${columns} columns, not ${count}`);
  }
  const out: Column[] = [];
  for (let index = 0; index < columns; index += 1) {
    const entry = HEADER_BYTES + index * ENTRY_BYTES;
    const codec = view.getUint8(entry);
    const offset = view.getUint32(entry + 4, true);
    const base = view.getFloat64(entry + 8, true);
    const width = [0, 0, 1, 2, 4, 8][codec];
    if (width === undefined || offset % 8 !== 0 || offset + width * rows > aligned.byteLength) {
      throw new BlockError(`column ${index} of a block is damaged`);
    }
    const values = viewOf(buffer, codec, start + offset, rows);
    out.push(new Column(rows, values, base, view.getUint8(entry + 1) === 1, codec === Codec.absent));
  }
  return out;
}

const words = new Uint32Array(2);
const big = new BigUint64Array(words.buffer);

/** Lower 32 bits after `splitHigh` of the same number. */
export function splitLow(): number {
  return words[0] ?? 0;
}

/** Upper 32 bits of a 64-bit number; `splitLow` then gives the lower ones. */
export function splitHigh(value: bigint): number {
  big[0] = value;
  return words[1] ?? 0;
}

/** The number that was split. */
export function joinHalves(high: number, low: number): bigint {
  words[0] = low;
  words[1] = high;
  return big[0] ?? 0n;
}
