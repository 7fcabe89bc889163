/** State of one extraction: budgets, problems and where text goes. Shared by all parsers of one file. */
import type { UnscannableCode } from '../types.ts';
import type { ExtractLimits } from './limits.ts';
import type { Source } from './source.ts';

/** Why something could not be read whole. The only error that parsers throw. */
export class ExtractError extends Error {
  readonly code: UnscannableCode;
  /** Nothing more is read of the whole file, not only of this member. */
  readonly fatal: boolean;

  constructor(code: UnscannableCode, message: string, fatal = false) {
    super(message);
    this.name = 'ExtractError';
    this.code = code;
    this.fatal = fatal;
  }
}

/** Takes text member by member; one is open at a time. The chunk may be reused after the call. */
export interface TextSink {
  (member: string, chunk: Buffer, last: boolean): void;
}

/** Reads the inside of whatever `source` is; set by visit.ts, so that parsers need not import each other. */
export type Visitor = (extraction: Extraction, source: Source, path: string, depth: number) => Promise<void>;
export type StreamVisitor = (
  extraction: Extraction,
  bytes: AsyncIterable<Buffer> | Iterable<Buffer>,
  path: string,
  depth: number,
) => Promise<void>;

/** Text of a PDF; its library is large and loaded only when one is met. */
export type PdfReader = (extraction: Extraction, bytes: Buffer, path: string, depth: number) => Promise<void>;

export interface ExtractResult {
  outcome: 'ok' | UnscannableCode;
  reason?: string;
  members: number;
  /** Bytes of text handed over. */
  bytes: number;
  /** PDFs that were met without a reader: read the file again with one. */
  deferred: number;
}

/** Worst first: what a verdict names when several things were wrong. */
const ORDER: readonly UnscannableCode[] = [
  'time',
  'ratio',
  'too_large',
  'encrypted',
  'depth',
  'malformed',
  'unsupported',
];

/** Between two looks at the clock. */
const CLOCK_BYTES = 64 * 1024;

export class Extraction {
  readonly limits: ExtractLimits;
  readonly pdf: PdfReader | undefined;
  readonly visit: Visitor;
  readonly visitStream: StreamVisitor;
  members = 0;
  textBytes = 0;
  deferred = 0;
  /** Text is passed on while this is not positive; see reader.ts for the second reading. */
  muted = 0;
  readonly #sink: TextSink;
  readonly #inputBytes: number;
  readonly #deadlineMs: number;
  readonly #problems = new Map<UnscannableCode, { count: number; first: string }>();
  #output = 0;
  #untilClock = 0;

  constructor(options: {
    limits: ExtractLimits;
    sink: TextSink;
    inputBytes: number;
    visit: Visitor;
    visitStream: StreamVisitor;
    pdf?: PdfReader | undefined;
  }) {
    this.limits = options.limits;
    this.pdf = options.pdf;
    this.visit = options.visit;
    this.visitStream = options.visitStream;
    this.#sink = options.sink;
    this.#inputBytes = Math.max(options.inputBytes, 1);
    this.#deadlineMs = performance.now() + options.limits.wallMs;
  }

  /**
   * Counts bytes that were unpacked or are about to be handed over, and looks at the clock.
   * @throws ExtractError, fatal, when a budget is used up.
   */
  spend(bytes: number): void {
    this.#output += bytes;
    const { maxOutputBytes, maxRatio, ratioFloorBytes } = this.limits;
    if (this.#output > maxOutputBytes)
      throw new ExtractError('too_large', `it unpacks to more than ${maxOutputBytes} bytes`, true);
    if (this.#output > ratioFloorBytes && this.#output > maxRatio * this.#inputBytes)
      throw new ExtractError('ratio', `it unpacks to more than ${maxRatio} times its size`, true);
    this.tick(bytes);
  }

  /** Counts work that has no output, in bytes or steps. */
  tick(work: number): void {
    this.#untilClock -= work;
    if (this.#untilClock > 0) return;
    this.#untilClock = CLOCK_BYTES;
    if (performance.now() > this.#deadlineMs)
      throw new ExtractError('time', `it took longer than ${this.limits.wallMs} ms to read`, true);
  }

  /** One more file inside the file. */
  member(): void {
    this.members += 1;
    this.tick(1024);
    if (this.members > this.limits.maxMembers)
      throw new ExtractError('too_large', `it holds more than ${this.limits.maxMembers} files`, true);
  }

  /** Something could not be read; the rest goes on. */
  problem(code: UnscannableCode, what: string, path: string): void {
    const known = this.#problems.get(code);
    if (known) known.count += 1;
    else this.#problems.set(code, { count: 1, first: path === '' ? what : `${path}: ${what}` });
  }

  /** Notes an error of one member; what is not about the member is thrown on. */
  failed(error: unknown, path: string): void {
    if (error instanceof ExtractError && !error.fatal) this.problem(error.code, error.message, path);
    else throw error;
  }

  /** Hands bytes over as they are. */
  emit(path: string, chunk: Buffer, last: boolean): void {
    this.spend(chunk.length);
    if (this.muted > 0) return;
    this.textBytes += chunk.length;
    this.#sink(path, chunk, last);
  }

  result(): ExtractResult {
    const code = ORDER.find((candidate) => this.#problems.has(candidate));
    const base = { members: this.members, bytes: this.textBytes, deferred: this.deferred };
    if (code === undefined) return { outcome: 'ok', ...base };
    const problem = this.#problems.get(code);
    const more = problem && problem.count > 1 ? ` (and ${problem.count - 1} more of the kind)` : '';
    return { outcome: code, reason: `${problem?.first ?? ''}${more}`, ...base };
  }
}

/** Collects text and hands it over as UTF-8 in chunks of some size. */
export class TextWriter {
  readonly #extraction: Extraction;
  readonly #path: string;
  #text = '';

  constructor(extraction: Extraction, path: string) {
    this.#extraction = extraction;
    this.#path = path;
  }

  add(text: string): void {
    this.#text += text;
    if (this.#text.length >= 65_536) this.#flush(false);
  }

  end(): void {
    this.#flush(true);
  }

  #flush(last: boolean): void {
    let text = this.#text;
    let rest = '';
    // A pair of surrogates is not cut in two.
    const code = text.charCodeAt(text.length - 1);
    if (!last && code >= 0xd800 && code < 0xdc00) {
      rest = text.slice(-1);
      text = text.slice(0, -1);
    }
    this.#text = rest;
    this.#extraction.emit(this.#path, Buffer.from(text, 'utf8'), last);
  }
}

const HOSTILE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** A member's name as a relative path that shows what it is and leads nowhere. */
export function safeName(name: string): string {
  const parts = name
    .slice(0, 4096)
    .replace(HOSTILE, '_')
    .split(/[/\\]+/)
    .filter((part) => part !== '' && part !== '.')
    .map((part) => (part === '..' ? '__' : part));
  const path = parts.join('/') || '_';
  return path.length <= 256 ? path : `${path.slice(0, 120)}…${path.slice(-120)}`;
}

/** Path of a member; `outer` is '' for members of the file itself. */
export function inside(outer: string, name: string): string {
  return outer === '' ? safeName(name) : `${outer}!/${safeName(name)}`;
}
