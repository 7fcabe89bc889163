/** `sentinel console`: a fresh one-time address of the running agent's console. */
import { connectAgent } from '../api/client.ts';
import { dataPaths } from '../data-dir.ts';
import { dataDirOf, parseCommand, type Command } from './command.ts';
import { openBrowser } from './open-browser.ts';
import { setTimeout as sleep } from 'node:timers/promises';

/** A browser needs this long to read the page that leads to the console. */
const BROWSER_START_MS = 5000;

export const command: Command = {
  summary: 'open the console of the running agent',
  usage: `usage: sentinel console [--print] [--json] [--data DIR]

Asks the running agent for a one-time address, valid for a few minutes, and opens it in a browser. --print only prints it.
`,
  run: async (argv, output) => {
    const { values } = parseCommand(argv, { print: { type: 'boolean', default: false } });
    const client = await connectAgent(dataPaths(dataDirOf(values)).socket);
    try {
      const { url, expiresNs } = await client.call('console.url', {});
      output.out(values.json ? `${JSON.stringify({ url, expiresNs })}\n` : `${url}\n`);
      if (!values.print && !values.json && !openBrowser(url))
        output.err('sentinel: no display here: open the address above in a browser on this machine\n');
      else if (!values.print && !values.json) await sleep(BROWSER_START_MS);
      return 0;
    } finally {
      client.close();
    }
  },
};
