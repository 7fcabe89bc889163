/** Saving and removing exceptions, for the dialog that drafts them and the list that shows them. */
import { create } from 'zustand';
import type { ExceptionSummary, Methods } from '../../../agent/api/contract.ts';
import { agent } from '../store.ts';

interface ExceptionState {
  /** Grows with every change, so that what shows exceptions reads them again. */
  made: number;
  busy: boolean;
  error: string | undefined;
  /** The one saved last, while its dialog is open. */
  saved: ExceptionSummary | undefined;
}

export const useExceptions = create<ExceptionState>(() => ({
  made: 0,
  busy: false,
  error: undefined,
  saved: undefined,
}));

async function changing(work: () => Promise<Partial<ExceptionState>>): Promise<boolean> {
  useExceptions.setState({ busy: true, error: undefined });
  try {
    const change = await work();
    useExceptions.setState(({ made }) => ({ ...change, made: made + 1, busy: false }));
    return true;
  } catch (error) {
    useExceptions.setState({ busy: false, error: error instanceof Error ? error.message : String(error) });
    return false;
  }
}

export function saveException(params: Methods['exceptions.save']['params']): Promise<boolean> {
  return changing(async () => ({ saved: (await agent().call('exceptions.save', params)).exception }));
}

export function removeException(id: string): Promise<boolean> {
  return changing(async () => {
    await agent().call('exceptions.remove', { id });
    return { saved: undefined };
  });
}
