/** A mistake in a policy file, with its place and what to do about it. */
export interface PolicyProblem {
  file: string;
  /** 1-based. */
  line: number;
  column: number;
  message: string;
  remedy: string;
  /** The policy's id, when it could be read. */
  id?: string;
}

/** `file:line:column: message; remedy`. */
export function problemText({ file, line, column, message, remedy }: PolicyProblem): string {
  return `${file}:${line}:${column}: ${message}${remedy === '' ? '' : `; ${remedy}`}`;
}
