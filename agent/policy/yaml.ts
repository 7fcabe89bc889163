/** YAML documents whose every value knows its place, and offsets inside a text value as places in the file. */
import {
  isMap,
  isScalar,
  LineCounter,
  parseAllDocuments,
  type Document,
  type Node,
  type Pair,
  type YAMLMap,
} from 'yaml';

export interface Place {
  line: number;
  column: number;
}

export interface YamlFile {
  documents: Document.Parsed[];
  placeOf(offset: number): Place;
}

const MAX_DOCUMENTS = 1000;

/** Parses without throwing on bad syntax; a document's `errors` says what is wrong with it. */
export function parseYaml(text: string): YamlFile {
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: true,
    logLevel: 'silent',
  });
  return {
    documents: parsed.slice(0, MAX_DOCUMENTS),
    placeOf: (offset) => {
      const { line, col } = lines.linePos(offset);
      return { line: Math.max(1, line), column: Math.max(1, col) };
    },
  };
}

export function startOf(node: unknown): number {
  return (node as Node | null | undefined)?.range?.[0] ?? 0;
}

/** The pairs of a map whose keys are texts. */
export function pairsOf(map: YAMLMap): Map<string, Pair> {
  const pairs = new Map<string, Pair>();
  for (const pair of map.items) if (isScalar(pair.key)) pairs.set(String(pair.key.value), pair);
  return pairs;
}

/**
 * Offset in the file of a character of a text value. Folding and indentation only change blanks, so the place is found by
 * counting the characters that are none.
 */
export function offsetInside(source: string, node: unknown, offset: number): number {
  if (!isScalar(node) || typeof node.value !== 'string' || !node.range) return startOf(node);
  let at = node.range[0];
  const end = node.range[1];
  if (node.type === 'BLOCK_LITERAL' || node.type === 'BLOCK_FOLDED') {
    at = source.indexOf('\n', at) + 1;
    if (at === 0) return node.range[0];
  } else if (node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE') at += 1;
  const before = node.value.slice(0, offset);
  let left = before.replace(/\s/g, '').length;
  while (at < end && left > 0) {
    if (!/\s/.test(source[at] ?? '')) {
      // An escape is one character of the value.
      if (node.type === 'QUOTE_DOUBLE' && source[at] === '\\') at += 1;
      if (node.type === 'QUOTE_SINGLE' && source[at] === "'" && source[at + 1] === "'") at += 1;
      left -= 1;
    }
    at += 1;
  }
  const blanks = /\s*$/.exec(before)?.[0].length ?? 0;
  if (blanks > 0 || node.type?.startsWith('BLOCK')) while (at < end && /\s/.test(source[at] ?? '')) at += 1;
  return Math.min(at, end);
}

export { isMap };
