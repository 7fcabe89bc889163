/** `sentinel dlp quarantine`: what policies took away, through the running agent. */
import { connectAgent } from '../api/client.ts';
import type { DlpQuarantineJson } from '../api/contract.ts';
import { dataPaths } from '../data-dir.ts';
import { UsageError } from '../errors.ts';
import { printable } from '../printable.ts';
import { counted, duration, size } from './terminal.ts';
import { dataDirOf, parseCommand, type Command } from './command.ts';

/** Two lines of an entry: what and since when, then why. */
function describe(entry: DlpQuarantineJson): string {
  const takenMs = Number(BigInt(entry.takenNs) / 1_000_000n);
  const notes = [
    `taken ${new Date(takenMs).toISOString()}, ${duration(Date.now() - takenMs)} ago, by policy ${entry.policy}`,
    `found: ${entry.rules.join(', ')}`,
    ...(entry.lost === '' ? [] : [`not kept: ${entry.lost}`]),
    ...(entry.signed ? [] : ['ITS METADATA WAS CHANGED: it is not restored']),
  ];
  const head = `${entry.id}  ${printable(entry.path)}  ${size(entry.size)}`;
  return `${head}\n${notes.map((note) => `  ${printable(note)}\n`).join('')}`;
}

export const quarantineCommand: Pick<Command, 'run'> = {
  run: async (argv, output) => {
    const { values, positionals } = parseCommand(argv, { to: { type: 'string' } });
    const [what, id, ...more] = positionals;
    const isList = what === 'list' && id === undefined;
    if (!isList && (id === undefined || more.length > 0 || (what !== 'restore' && what !== 'remove')))
      throw new UsageError('say list, restore ID or remove ID', 'see sentinel dlp quarantine --help');
    const agent = await connectAgent(dataPaths(dataDirOf(values)).socket);
    try {
      if (isList) {
        const { entries } = await agent.call('dlp.quarantine.list', {});
        if (values.json) output.out(`${JSON.stringify({ entries })}\n`);
        else if (entries.length === 0) output.out('the quarantine is empty\n');
        else {
          for (const entry of entries) output.out(describe(entry));
          const all = entries.reduce((sum, entry) => sum + entry.size, 0);
          output.out(`${counted(entries.length, 'file')}, ${size(all)}\n`);
        }
      } else if (what === 'restore') {
        const to = values.to === undefined ? {} : { to: values.to };
        const result = await agent.call('dlp.quarantine.restore', { id: id as string, ...to });
        const lost = result.notKept === '' ? '' : ` (not kept: ${result.notKept})`;
        output.out(
          values.json ? `${JSON.stringify(result)}\n` : `restored ${printable(result.restoredTo)}${lost}\n`,
        );
      } else {
        const { entry } = await agent.call('dlp.quarantine.remove', { id: id as string });
        output.out(values.json ? `${JSON.stringify({ entry })}\n` : `removed ${printable(entry.path)}\n`);
      }
      return 0;
    } finally {
      agent.close();
    }
  },
};
