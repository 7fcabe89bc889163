/** The agent inside Electron: a utility process whose parent port speaks the messages of agent/desktop.ts. */
import type { ParentPort } from 'electron';
import { runDesktopHost } from '../agent/desktop-host.ts';

const { parentPort }: { parentPort: ParentPort } = process;
await runDesktopHost(parentPort, process.argv.slice(2));
