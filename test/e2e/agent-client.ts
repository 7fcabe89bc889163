/** The client of the agent's API, for tests: an agent on a busy machine takes its time to answer. */
import { type ApiClient, connectAgent as connect } from '../../agent/api/client.ts';

export function connectAgent(socketPath: string): Promise<ApiClient> {
  return connect(socketPath, 60_000);
}
