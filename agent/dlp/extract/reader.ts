/**
 * What the extraction child does: reads the file that it was given as descriptor 3, gives text back on its standard
 * output, and can do nothing else. Everything it needs is loaded before the first byte of the file is read; then it
 * gives up its rights (native-addon/src/host/confine.cc) for good.
 *
 * Arguments: the limits as JSON; `pdf` to have the PDF reader loaded, `only-pdf` to have it and hand over only its text.
 */
import { fstat, writeFileSync, writeSync } from 'node:fs';
import { loadCore } from '../../../native-addon/index.ts';
import type { PdfReader } from './extraction.ts';
import {
  FRAME_LAST,
  FRAME_MEMBER,
  FRAME_RESULT,
  FRAME_TEXT,
  frameHeader,
  MAX_FRAME_BYTES,
} from './frames.ts';
import { withDefaults, type ExtractLimits } from './limits.ts';
import { fileSource } from './source.ts';
import { extractSource } from './visit.ts';

const FILE = 3;
const PAYLOAD = MAX_FRAME_BYTES - 16;

function write(bytes: Buffer): void {
  for (let at = 0; at < bytes.length;) at += writeSync(1, bytes, at);
}

function frame(kind: number, payload: Buffer): void {
  write(frameHeader(kind, payload.length));
  write(payload);
}

let current: string | undefined;

function sink(member: string, chunk: Buffer, last: boolean): void {
  if (member !== current) frame(FRAME_MEMBER, Buffer.from(member.slice(0, 8192), 'utf8'));
  current = last ? undefined : member;
  let at = 0;
  for (; chunk.length - at > PAYLOAD; at += PAYLOAD) frame(FRAME_TEXT, chunk.subarray(at, at + PAYLOAD));
  frame(last ? FRAME_LAST : FRAME_TEXT, chunk.subarray(at));
}

function result(value: object): void {
  frame(FRAME_RESULT, Buffer.from(JSON.stringify(value), 'utf8'));
}

/** Reads the file and ends the process. */
export async function main(): Promise<void> {
  const [limitsText = '{}', mode = ''] = process.argv.slice(2);
  const limits: ExtractLimits = withDefaults(JSON.parse(limitsText) as Partial<ExtractLimits>);
  const core = loadCore();
  if (!core.ok) {
    result({ outcome: 'unsupported', reason: `files cannot be read safely here: ${core.reason}` });
    process.exitCode = 1;
    return;
  }
  let pdf: PdfReader | undefined;
  if (mode !== '') pdf = (await import('./pdf.ts')).readPdf;
  try {
    // The first to go when memory is short.
    writeFileSync('/proc/self/oom_score_adj', '1000');
  } catch {
    // Not everywhere allowed.
  }
  // The pool's thread must be there before no thread can be made any more; so must the descriptors of the loop.
  await new Promise((resolve) => {
    fstat(FILE, resolve);
  });
  await new Promise((resolve) => {
    setTimeout(resolve, 1);
  });
  const refused = core.addon.confine(limits.dataMiB * 1024 * 1024, limits.cpuSeconds);
  if (refused !== '') {
    result({ outcome: 'unsupported', reason: `files cannot be read safely here: ${refused}` });
    core.addon.leave(1);
  }
  try {
    result(await extractSource(fileSource(FILE), limits, sink, { pdf, onlyPdf: mode === 'only-pdf' }));
  } catch (error) {
    // The message may hold what was in the file.
    const name = error instanceof RangeError ? 'RangeError' : error instanceof Error ? error.name : 'error';
    result({ outcome: 'malformed', reason: `it could not be read (${name.slice(0, 40)})` });
  }
  core.addon.leave(0);
}
