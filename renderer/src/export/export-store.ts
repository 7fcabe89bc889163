/**
 * An export of a query: asked for piece by piece, so that it shows how far it is and can be stopped at any moment. Each
 * piece becomes a Blob at once, which the browser keeps outside the page's memory.
 */
import { create } from 'zustand';
import type { ExportFormat } from '../../../agent/api/contract.ts';
import { agent } from '../store.ts';

const PIECE_EVENTS = 1000;
const EVIDENCE_POLL_MS = 250;

export interface ExportState {
  status: 'idle' | 'running' | 'done' | 'failed' | 'cancelled';
  query: string;
  format: ExportFormat | 'sab';
  events: number;
  bytes: number;
  /** How many events it will be; undefined while that is not known. */
  total: number | undefined;
  totalApproximate: boolean;
  startedMs: number;
  tookMs: number;
  error: string | undefined;
  /** Name of the file that was saved. */
  file: string | undefined;
}

const IDLE: ExportState = {
  status: 'idle',
  query: '',
  format: 'ndjson',
  events: 0,
  bytes: 0,
  total: undefined,
  totalApproximate: false,
  startedMs: 0,
  tookMs: 0,
  error: undefined,
  file: undefined,
};

export const useExport = create<ExportState>(() => IDLE);

const set = useExport.setState;
let abort = new AbortController();

/** sentinel-HOST-20261121T140322Z.ndjson */
function fileName(format: ExportFormat | 'sab', hostname: string, now: Date): string {
  const when = now.toISOString().replace(/[-:]|\.\d+/g, '');
  const host = hostname.replace(/[^\w.-]/g, '_').slice(0, 64);
  return `sentinel-${host}-${when}.${format}`;
}

const TYPES = {
  csv: 'text/csv;charset=utf-8',
  ndjson: 'application/x-ndjson',
  sab: 'application/octet-stream',
} as const;

function save(parts: Blob[], format: ExportFormat | 'sab', name: string): void {
  const type = TYPES[format];
  const url = URL.createObjectURL(new Blob(parts, { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The download has taken what it needs once it began; a minute is ample.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Exports everything the query finds now and saves it as one file. */
export async function startExport(query: string, format: ExportFormat, hostname: string): Promise<void> {
  abort.abort();
  abort = new AbortController();
  const { signal } = abort;
  const startedMs = performance.now();
  set({ ...IDLE, status: 'running', query, format, startedMs });
  const parts: Blob[] = [];
  let before: string | undefined;
  try {
    do {
      const params = { query, format, limit: PIECE_EVENTS, ...(before === undefined ? {} : { before }) };
      const piece = await agent().call('events.export', params, signal);
      if (signal.aborted) return;
      const part = new Blob([piece.text]);
      parts.push(part);
      before = piece.older;
      set((state) => ({
        events: state.events + piece.events,
        bytes: state.bytes + part.size,
        total: piece.total ?? state.total,
        totalApproximate: piece.totalApproximate ?? state.totalApproximate,
        tookMs: performance.now() - startedMs,
      }));
    } while (before !== undefined);
    const file = fileName(format, hostname, new Date());
    save(parts, format, file);
    set({ status: 'done', file });
  } catch (error) {
    if (signal.aborted) return;
    set({ status: 'failed', error: error instanceof Error ? error.message : String(error) });
  }
}

const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
  return bytes;
}

/** Has the agent write the evidence for what the query finds, and saves it. */
export async function startEvidence(query: string, hostname: string): Promise<void> {
  abort.abort();
  abort = new AbortController();
  const { signal } = abort;
  const startedMs = performance.now();
  set({ ...IDLE, status: 'running', query, format: 'sab', startedMs });
  try {
    let state = await agent().call('evidence.start', { query }, signal);
    while (state.running && !signal.aborted) {
      await later(EVIDENCE_POLL_MS);
      state = await agent().call('evidence.state', {}, signal);
      set({ bytes: state.bytes, tookMs: performance.now() - startedMs });
    }
    if (signal.aborted) return;
    if (!state.ready) {
      set({ status: 'failed', error: state.failed });
      return;
    }
    set({ events: state.records ?? 0, total: state.records });
    const parts: Blob[] = [];
    let offset: number | undefined = 0;
    while (offset !== undefined) {
      const piece: { base64: string; next?: number } = await agent().call(
        'evidence.read',
        { offset },
        signal,
      );
      if (signal.aborted) return;
      parts.push(new Blob([bytesOf(piece.base64)]));
      offset = piece.next;
    }
    await agent().call('evidence.cancel', {}, signal);
    const file = fileName('sab', hostname, new Date());
    save(parts, 'sab', file);
    set({ status: 'done', file, bytes: state.bytes, tookMs: performance.now() - startedMs });
  } catch (error) {
    if (signal.aborted) return;
    set({ status: 'failed', error: error instanceof Error ? error.message : String(error) });
  }
}

/** Stops; nothing is saved. */
export function cancelExport(): void {
  abort.abort();
  const { status, format } = useExport.getState();
  if (status === 'running' && format === 'sab')
    void agent()
      .call('evidence.cancel', {})
      .catch(() => undefined);
  if (useExport.getState().status === 'running') set({ status: 'cancelled' });
}
