/** Just enough PNG for screenshots: reads what Chromium and this file write, writes images of few colours. */
import { crc32, deflateSync, inflateSync } from 'node:zlib';

export interface Image {
  width: number;
  height: number;
  /** Three bytes for each pixel, row by row. */
  rgb: Uint8Array;
}

const COLOURS = 24;
const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
/** Samples of one pixel by colour type: truecolour, palette, truecolour with alpha. */
const SAMPLES: Readonly<Record<number, number>> = { 2: 3, 3: 1, 6: 4 };

function paeth(left: number, up: number, corner: number): number {
  const guess = left + up - corner;
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}

/** Undoes the filter of each row in place; what is left are the rows without their filter bytes. */
function unfilter(data: Buffer, height: number, stride: number, step: number): Buffer {
  const rows = Buffer.alloc(height * stride);
  for (let y = 0; y < height; y += 1) {
    const filter = data[y * (stride + 1)];
    for (let x = 0; x < stride; x += 1) {
      const at = y * stride + x;
      const left = x >= step ? rows[at - step]! : 0;
      const up = y > 0 ? rows[at - stride]! : 0;
      const corner = y > 0 && x >= step ? rows[at - stride - step]! : 0;
      let base = 0;
      if (filter === 1) base = left;
      else if (filter === 2) base = up;
      else if (filter === 3) base = (left + up) >> 1;
      else if (filter === 4) base = paeth(left, up, corner);
      rows[at] = data[y * (stride + 1) + 1 + x]! + base;
    }
  }
  return rows;
}

/** Reads 8-bit truecolour and palettes of up to 8 bits. Throws on anything else. */
export function readPng(file: Buffer): Image {
  if (!file.subarray(0, 8).equals(SIGNATURE)) throw new Error('not a PNG file');
  let palette = Buffer.alloc(0);
  const packed: Buffer[] = [];
  for (let at = 8; at < file.length;) {
    const length = file.readUInt32BE(at);
    const name = file.toString('latin1', at + 4, at + 8);
    const body = file.subarray(at + 8, at + 8 + length);
    if (name === 'PLTE') palette = Buffer.from(body);
    if (name === 'IDAT') packed.push(body);
    at += length + 12;
  }
  const width = file.readUInt32BE(16);
  const height = file.readUInt32BE(20);
  const [bits = 0, colour = 0] = file.subarray(24);
  const samples = SAMPLES[colour];
  if (samples === undefined || (bits !== 8 && colour !== 3)) {
    throw new Error(`PNG of colour type ${colour} with ${bits} bits is not read here`);
  }
  const stride = Math.ceil((width * samples * bits) / 8);
  const rows = unfilter(
    inflateSync(Buffer.concat(packed)),
    height,
    stride,
    Math.max(1, (samples * bits) >> 3),
  );
  const rgb = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const to = (y * width + x) * 3;
      if (colour === 3) {
        const bit = x * bits;
        const entry = (rows[y * stride + (bit >> 3)]! >> (8 - bits - (bit & 7))) & ((1 << bits) - 1);
        rgb.set(palette.subarray(entry * 3, entry * 3 + 3), to);
      } else {
        const from = y * stride + x * samples;
        rgb.set(rows.subarray(from, from + 3), to);
      }
    }
  }
  return { width, height, rgb };
}

function chunk(name: string, body: Buffer): Buffer {
  const out = Buffer.alloc(body.length + 12);
  out.writeUInt32BE(body.length, 0);
  out.write(name, 4, 'latin1');
  body.copy(out, 8);
  out.writeUInt32BE(crc32(out.subarray(4, body.length + 8)), body.length + 8);
  return out;
}

/** The colours that stand for the image: the most frequent ones that differ enough from those before. */
function paletteOf({ rgb }: Image): number[][] {
  const counts = new Map<number, number>();
  for (let at = 0; at < rgb.length; at += 3) {
    const key = (rgb[at]! << 16) | (rgb[at + 1]! << 8) | rgb[at + 2]!;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const chosen: number[][] = [];
  const frequent = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 4000);
  for (const apart of [24, 12, 6]) {
    for (const [key] of frequent) {
      if (chosen.length === COLOURS) return chosen;
      const colour = [key >> 16, (key >> 8) & 255, key & 255];
      if (chosen.every((other) => distance(colour, other) >= apart)) chosen.push(colour);
    }
  }
  return chosen;
}

function distance(a: readonly number[], b: readonly number[]): number {
  return Math.max(Math.abs(a[0]! - b[0]!), Math.abs(a[1]! - b[1]!), Math.abs(a[2]! - b[2]!));
}

/** Writes the image in few colours: good enough to look at, and small. */
export function writeSmallPng(image: Image): Buffer {
  const palette = paletteOf(image);
  const nearest = new Map<number, number>();
  const stride = image.width;
  const rows = Buffer.alloc(image.height * (stride + 1));
  for (let y = 0; y < image.height; y += 1) {
    for (let x = 0; x < image.width; x += 1) {
      const at = (y * image.width + x) * 3;
      const colour = [image.rgb[at]!, image.rgb[at + 1]!, image.rgb[at + 2]!];
      const key = (colour[0]! << 16) | (colour[1]! << 8) | colour[2]!;
      let entry = nearest.get(key);
      if (entry === undefined) {
        const distances = palette.map((other) => distance(colour, other));
        entry = distances.indexOf(Math.min(...distances));
        nearest.set(key, entry);
      }
      rows[y * (stride + 1) + 1 + x] = entry;
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(image.width, 0);
  header.writeUInt32BE(image.height, 4);
  header[8] = 8;
  header[9] = 3;
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('PLTE', Buffer.from(palette.flat())),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

/** The image with each square of `factor` pixels as one: their mean. */
export function shrink({ width, height, rgb }: Image, factor: number): Image {
  const [w, h] = [Math.floor(width / factor), Math.floor(height / factor)];
  const small = new Uint8Array(w * h * 3);
  for (let y = 0; y < h; y += 1) {
    for (let x = 0; x < w; x += 1) {
      for (let channel = 0; channel < 3; channel += 1) {
        let sum = 0;
        for (let dy = 0; dy < factor; dy += 1) {
          for (let dx = 0; dx < factor; dx += 1) {
            sum += rgb[((y * factor + dy) * width + x * factor + dx) * 3 + channel]!;
          }
        }
        small[(y * w + x) * 3 + channel] = Math.round(sum / factor ** 2);
      }
    }
  }
  return { width: w, height: h, rgb: small };
}
