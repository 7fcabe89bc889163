/**
 * Saved searches: kept by the agent, so that every console of this machine has them; by this browser where the agent
 * does not take them (a session that may only read). A name means one search; the agent's wins.
 */
import { create } from 'zustand';
import { type SavedSearch, removeSearch, saveSearch, usePrefs } from '../prefs.ts';
import { agent, useApp } from '../store.ts';

const KIND = 'search';

export const useSaved = create<{ kept: readonly SavedSearch[]; error: string | undefined }>(() => ({
  kept: [],
  error: undefined,
}));

function queryOf(value: string): string | undefined {
  try {
    const { query } = JSON.parse(value) as { query?: unknown };
    return typeof query === 'string' && query !== '' ? query : undefined;
  } catch {
    return undefined;
  }
}

const failed = (error: unknown): void =>
  useSaved.setState({ error: error instanceof Error ? error.message : String(error) });

export async function loadSaved(): Promise<void> {
  try {
    const { items } = await agent().call('saved.list', { kind: KIND });
    const kept = items.flatMap(({ name, value }) => {
      const query = queryOf(value);
      return query === undefined ? [] : [{ name, query }];
    });
    useSaved.setState({ kept, error: undefined });
  } catch (error) {
    failed(error);
  }
}

/** The agent takes searches only from those who may change things. */
function mayKeep(): boolean {
  const { connection } = useApp.getState();
  return connection.state === 'open' && connection.privileged;
}

export async function keepSearch(name: string, query: string): Promise<void> {
  if (!mayKeep()) {
    saveSearch(name, query);
    return;
  }
  try {
    await agent().call('saved.put', { kind: KIND, name, value: JSON.stringify({ query }) });
    removeSearch(name);
    await loadSaved();
  } catch (error) {
    failed(error);
  }
}

export async function dropSearch(name: string): Promise<void> {
  removeSearch(name);
  if (!mayKeep()) return;
  try {
    await agent().call('saved.delete', { kind: KIND, name });
    await loadSaved();
  } catch (error) {
    failed(error);
  }
}

/** All of them by name. */
export function allSearches(
  kept: readonly SavedSearch[] = useSaved.getState().kept,
  local: readonly SavedSearch[] = usePrefs.getState().saved,
): SavedSearch[] {
  const byName = new Map([...local, ...kept].map((search) => [search.name, search]));
  return [...byName.values()].sort((a, b) => a.name.localeCompare(b.name));
}
