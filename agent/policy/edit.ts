/** Changes of a policy's text that leave everything else as it was written: its version, one more exception, its place in a file. */
import { isCollection, isScalar, isSeq, type Document } from 'yaml';
import { canonicalText } from './hash.ts';
import { isMap, pairsOf, parseYaml } from './yaml.ts';

export interface ExceptionText {
  when: string;
  owner: string;
  reason: string;
  /** YYYY-MM-DD. */
  expires: string;
}

/** The text of one document of a file, without the marks between documents. */
export function documentText(source: string, { range: [from, , to] }: Document.Parsed): string {
  return canonicalText(
    source
      .slice(from, to)
      .replace(/^---[^\n]*\n/, '')
      .replace(/\n(---|\.\.\.)\s*$/, '\n'),
  );
}

function only(text: string): Document.Parsed | undefined {
  return parseYaml(text).documents.find(({ contents }) => contents !== null);
}

/** The text with another version number; as it is when it has none. */
export function withVersion(text: string, version: number): string {
  const map = only(text)?.contents;
  const value = isMap(map) ? pairsOf(map).get('version')?.value : undefined;
  if (!isScalar(value) || !value.range) return text;
  return text.slice(0, value.range[0]) + String(version) + text.slice(value.range[1]);
}

/** A text as a YAML value on one line. */
function scalar(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return /^[A-Za-z(][^#:{}[\],&*|>'"%@`]*$/.test(line) && !/^(true|false|null|yes|no|on|off)$/i.test(line)
    ? line
    : `'${line.replaceAll("'", "''")}'`;
}

function itemLines({ when, owner, reason, expires }: ExceptionText, indent: string): string {
  return [
    `${indent}- when: ${scalar(when)}`,
    `${indent}  owner: ${scalar(owner)}`,
    `${indent}  reason: ${scalar(reason)}`,
    `${indent}  expires: '${expires}'`,
    '',
  ].join('\n');
}

/** The text with one exception more, behind those it has. */
export function withException(text: string, exception: ExceptionText): string {
  const source = canonicalText(text);
  const map = only(source)?.contents;
  const node = isMap(map) ? pairsOf(map).get('exceptions')?.value : undefined;
  const isBlock = isSeq(node) && !node.flow && node.items.length > 0;
  if (isBlock && node.range) {
    const lineStart = source.lastIndexOf('\n', node.range[0] - 1) + 1;
    const indent = /^ */.exec(source.slice(lineStart))?.[0] ?? '';
    const end = node.range[1];
    const at = source[end - 1] === '\n' ? end : source.indexOf('\n', end) + 1 || source.length;
    return source.slice(0, at) + itemLines(exception, indent) + source.slice(at);
  }
  const item = itemLines(exception, '  ');
  if (node !== undefined && isMap(map)) {
    // Written as a flow list, or empty: written again as a block, its items with it.
    const { key } = pairsOf(map).get('exceptions')!;
    const [from] = (key as { range: [number, number, number] }).range;
    const range = (node as { range?: [number, number, number] | null }).range;
    const to = range ? source.indexOf('\n', range[1]) + 1 || source.length : source.indexOf('\n', from) + 1;
    const kept = isCollection(node)
      ? (node.toJSON() as ExceptionText[])
          .map((each) => itemLines({ ...each, reason: each.reason ?? '' }, '  '))
          .join('')
      : '';
    return `${source.slice(0, from)}exceptions:\n${kept}${item}${source.slice(to)}`;
  }
  return `${source}exceptions:\n${item}`;
}

/** A file's text with one of its policies replaced; undefined when the file does not hold that id. */
export function withDocument(source: string, id: string, text: string): string | undefined {
  const documents = parseYaml(source).documents.filter(({ contents }) => contents !== null);
  const idOf = ({ contents }: Document.Parsed): unknown => {
    const value = isMap(contents) ? pairsOf(contents).get('id')?.value : undefined;
    return isScalar(value) ? value.value : undefined;
  };
  if (!documents.some((document) => idOf(document) === id)) return undefined;
  if (documents.length === 1) return canonicalText(text);
  return documents
    .map((document) => (idOf(document) === id ? canonicalText(text) : documentText(source, document)))
    .join('---\n');
}
