/**
 * Tags that people give processes: saved items of kind `tag`, one for each process, named by its id. A query that asks
 * for `tag:NAME` is turned into one that asks for those processes, by pid within their life, before the store sees it:
 * a tag is about what was recorded, it never changes a record.
 */
import type { SavedItem } from './api/contract.ts';
import { MAX_QUERY_LENGTH, and, not, or, QueryError, type QueryNode } from './store/query-ast.ts';
import { parseQuery } from './store/query-parser.ts';
import { printQuery } from './store/query-print.ts';
import { fold, wholeTest } from './store/query-pattern.ts';

export const TAG_KIND = 'tag';

interface Tagged {
  pid: number;
  tags: string[];
  /** Wall clock, ns: between which the process lived; without an end it did when it was tagged. */
  fromNs: bigint;
  toNs?: bigint;
}

/** What an item says; undefined when it is not that of a tagged process. */
function taggedOf(item: SavedItem): Tagged | undefined {
  try {
    const { pid, tags, fromNs, toNs } = JSON.parse(item.value) as Record<string, unknown>;
    if (!Number.isSafeInteger(pid) || !Array.isArray(tags) || typeof fromNs !== 'string') return undefined;
    return {
      pid: Number(pid),
      tags: tags.filter((tag) => typeof tag === 'string'),
      fromNs: BigInt(fromNs),
      ...(typeof toNs === 'string' ? { toNs: BigInt(toNs) } : {}),
    };
  } catch {
    return undefined;
  }
}

function processNode({ pid, fromNs, toNs }: Tagged): QueryNode {
  const life: QueryNode[] = [
    { kind: 'compare', field: 'pid', op: 'eq', value: pid },
    { kind: 'time', op: 'ge', at: { kind: 'at', ns: fromNs } },
  ];
  if (toNs !== undefined) life.push({ kind: 'time', op: 'le', at: { kind: 'at', ns: toNs } });
  return and(...life);
}

function expand(node: QueryNode, tagged: readonly Tagged[]): QueryNode {
  switch (node.kind) {
    case 'and':
      return and(...node.items.map((item) => expand(item, tagged)));
    case 'or':
      return or(...node.items.map((item) => expand(item, tagged)));
    case 'not':
      return not(expand(node.item, tagged));
    case 'match':
    case 'has': {
      if (node.field !== 'tag') return node;
      const test = node.kind === 'has' ? () => true : wholeTest(node.pattern);
      const found = tagged.filter(({ tags }) => tags.some((tag) => test(fold(tag))));
      // Left as it is, it finds nothing: no record holds a tag.
      return found.length === 0 ? node : or(...found.map(processNode));
    }
    default:
      return node;
  }
}

/**
 * The query with the processes in place of their tags; one without tags is returned as it is.
 * @throws QueryError when so many processes have the tag that the query would be too long.
 */
export function expandTags(query: string, items: () => readonly SavedItem[]): string {
  if (!/tag/i.test(query)) return query;
  const node = parseQuery(query);
  const tagged = items()
    .filter(({ kind }) => kind === TAG_KIND)
    .flatMap((item) => taggedOf(item) ?? []);
  const text = printQuery(expand(node, tagged));
  if (text === printQuery(node)) return query;
  if (text.length <= MAX_QUERY_LENGTH) return text;
  throw new QueryError('too many processes have this tag: ask for one of them by pid', 0, query.length);
}
