/** `sentinel tree PID`: a process with its ancestors and children. */
import type { TreeNode } from '../api/contract.ts';
import { UsageError } from '../errors.ts';
import { dataDirOf, parseCommand, type Command } from './command.ts';
import { printable, shellQuote } from '../printable.ts';
import { openSource } from './source.ts';

function line(node: TreeNode, depth: number, mark: string): string {
  const { process } = node;
  const counts = Object.entries(node.counts)
    .map(([type, count]) => `${count} ${type}`)
    .join(', ');
  const command = process.argv?.length ? shellQuote(process.argv) : process.name;
  return printable(
    `${'  '.repeat(depth)}${mark}${process.pid} ${command}${node.endNs ? ' (ended)' : ''}${counts ? `  [${counts}]` : ''}`,
  );
}

export const command: Command = {
  summary: 'a process, its ancestors and children',
  usage: `usage: sentinel tree PID [--json] [--data DIR]

Prints the latest process with that pid: ancestors above it, its children below.
`,
  run: async (argv, output) => {
    const { values, positionals } = parseCommand(argv, {});
    const [pidText] = positionals;
    if (positionals.length !== 1 || pidText === undefined || !/^[1-9][0-9]{0,9}$/.test(pidText)) {
      throw new UsageError('give one process id', 'for example sentinel tree 1');
    }
    const source = await openSource(dataDirOf(values));
    try {
      const tree = await source.call('process.tree', { pid: Number(pidText) });
      if (values.json) {
        output.out(`${JSON.stringify(tree)}\n`);
        return 0;
      }
      const ancestors = tree.ancestors.toReversed();
      const lines = ancestors.map((node, depth) => line(node, depth, ''));
      lines.push(line(tree.node, ancestors.length, '→ '));
      for (const child of tree.children) lines.push(line(child, ancestors.length + 1, ''));
      output.out(`${lines.join('\n')}\n`);
      return 0;
    } finally {
      source.close();
    }
  },
};
