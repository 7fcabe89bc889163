/** Entry of the desktop app's agent host: the flags of `sentinel run`, and the agent that they describe. */
import { socketPathOf } from './api/socket-server.ts';
import { startAgent } from './agent.ts';
import { CONFIG_FLAGS, configFrom } from './cli/config-flags.ts';
import { dataDirOf, parseCommand } from './cli/command.ts';
import { SYSTEM_DATA_DIR } from './data-dir.ts';
import { DesktopHost, type ParentPort } from './desktop.ts';
import { describeError } from './errors.ts';

/**
 * Serves the windows of the app behind `parent`. Without --data, the service's agent is preferred to one of our own.
 * Wrong flags or settings are told like an agent that cannot start.
 */
export async function runDesktopHost(parent: ParentPort, argv: readonly string[]): Promise<void> {
  if (process.platform !== 'win32') process.umask(0o077);
  try {
    const { values } = parseCommand(argv, CONFIG_FLAGS);
    const dataDir = dataDirOf(values);
    const config = configFrom({ ...values, console: 'off' });
    const folders = values.data === undefined ? [SYSTEM_DATA_DIR, dataDir] : [dataDir];
    await new DesktopHost({
      parent,
      sockets: [...new Set(folders)].map((folder) => socketPathOf(folder)),
      startAgent: () => startAgent({ dataDir, config }),
      onStopped: () => process.exit(0),
    }).start();
  } catch (error) {
    const sentence = `Not recording: ${describeError(error)}`;
    parent.postMessage({ type: 'status', status: { mode: 'hosted', level: 'failed', sentence } });
    parent.on('message', ({ data }) => {
      if ((data as { type?: unknown }).type === 'stop') process.exit(0);
    });
  }
}
