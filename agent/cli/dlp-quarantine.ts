/** `sentinel dlp quarantine`: what policies took away, through the running agent. */
import { connectAgent } from '../api/client.ts';
import type { DlpQuarantineJson } from '../api/contract.ts';
import { dataPaths } from '../data-dir.ts';
import { UsageError } from '../errors.ts';
import { printable } from '../printable.ts';
import { dataDirOf, parseCommand, type Command } from './command.ts';

function line(entry: DlpQuarantineJson): string {
  const when = new Date(Number(BigInt(entry.takenNs) / 1_000_000n)).toISOString();
  const lost = entry.lost === '' ? '' : `  not kept: ${entry.lost}`;
  const signed = entry.signed ? '' : '  METADATA CHANGED';
  return `${entry.id}  ${when}  ${entry.size} bytes  ${printable(entry.path)}  ${entry.policy}: ${printable(entry.rules.join(', '))}${lost}${signed}\n`;
}

export const quarantineCommand: Command = {
  summary: 'files that a policy took away',
  usage: `usage: sentinel dlp quarantine list
       sentinel dlp quarantine restore ID [--to PATH]
       sentinel dlp quarantine remove ID

Restoring never overwrites what is there by now; owner, mode, times and extended attributes come back with the file
where the file system can hold them. Removing is for good. Both are on record.
`,
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
        else for (const entry of entries) output.out(line(entry));
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
