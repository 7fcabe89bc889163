/** Where a command gets its answers: the running agent of a data folder or, when none runs, its files. */
import { existsSync } from 'node:fs';
import { AgentNotRunningError, connectAgent, type ApiClient } from '../api/client.ts';
import type { Methods } from '../api/contract.ts';
import { dataPaths } from '../data-dir.ts';
import { SentinelError } from '../errors.ts';
import { openOffline } from '../timeline-offline.ts';
import type { OwnWorkerMethod, WorkerMethod } from '../timeline-messages.ts';

type Answered = Exclude<WorkerMethod, OwnWorkerMethod>;

export interface Source {
  /** Set when an agent answers. */
  readonly agent?: ApiClient;
  call<M extends Answered>(method: M, params: Methods[M]['params']): Promise<Methods[M]['result']>;
  close(): void;
}

/**
 * Opens the agent or the files of `dataDir`.
 * @throws SentinelError when there is neither, or the agent refuses this user.
 */
export async function openSource(dataDir: string): Promise<Source> {
  const paths = dataPaths(dataDir);
  try {
    const agent = await connectAgent(paths.socket);
    return { agent, call: (method, params) => agent.call(method, params), close: () => agent.close() };
  } catch (error) {
    if (!(error instanceof AgentNotRunningError)) throw error;
  }
  if (!existsSync(paths.timeline) && !existsSync(paths.securityLog)) {
    throw new SentinelError(
      'no_data',
      `there is no Sentinel data in ${dataDir}`,
      'start the agent with sentinel run, or name its folder with --data',
    );
  }
  const offline = openOffline(dataDir);
  return {
    call: async <M extends Answered>(method: M, params: Methods[M]['params']) =>
      JSON.parse(offline.answer(method, params)) as Methods[M]['result'],
    close: () => offline.close(),
  };
}
