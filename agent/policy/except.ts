/** Exceptions drafted from an event: what can be asked for, narrowest first, as conditions that hold for the event. */
import type { SentinelEvent } from '../event.ts';
import type { ExpressionCompiler } from './expression.ts';
import { readField } from './fields.ts';

/** Asked for together unless somebody chooses; what identifies the program and its object first. */
const ASKED: readonly string[] = [
  'process.executable',
  'process.command_line',
  'process.parent.executable',
  'user.name',
  'container.id',
  'file.path',
  'destination.ip',
  'destination.port',
  'dns.question.name',
  'target.executable',
];
/** Offered besides. */
const OFFERED: readonly string[] = ['process.hash.sha256', 'process.parent.command_line', 'file.directory'];
const MAX_VALUE_CHARS = 1000;

export interface ExceptionCandidate {
  /** CEL that holds for the event. */
  when: string;
  /** Part of the narrowest exception. */
  asked: boolean;
}

/** Conditions, one a field of the event, each of which holds for it. */
export function exceptionCandidates(event: SentinelEvent, compile: ExpressionCompiler): ExceptionCandidate[] {
  const found: ExceptionCandidate[] = [];
  for (const field of [...ASKED, ...OFFERED]) {
    const value = readField(event, field);
    if (
      typeof value === 'string' ? value === '' || value.length > MAX_VALUE_CHARS : typeof value !== 'bigint'
    )
      continue;
    const when = `${field} == ${typeof value === 'string' ? celText(value) : String(value)}`;
    try {
      if (compile(when).test(event) === true) found.push({ when, asked: ASKED.includes(field) });
    } catch {
      // A text that CEL cannot write (half a character) is not offered.
    }
  }
  return found;
}

/** A text as CEL writes it, without characters that an editor or a terminal would obey. */
function celText(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
