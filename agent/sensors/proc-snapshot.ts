/**
 * The processes that already run, as snapshot records: primes the process tree (the agent's and, through the log,
 * the timeline's) where the BPF task iterator is not there. A process that ends while it is read is left out.
 */
import { readdirSync } from 'node:fs';
import type { SentinelEvent } from '../event.ts';
import { bootNowNs } from './boot-clock.ts';
import { encodeEvent } from './encode.ts';
import { ProcReader } from './proc-reader.ts';

/** Pids in /proc, ascending. Empty when it cannot be read. */
export function listPids(root = '/proc'): number[] {
  const pids: number[] = [];
  try {
    for (const name of readdirSync(root)) {
      const pid = Number(name);
      if (Number.isInteger(pid) && pid > 0) pids.push(pid);
    }
  } catch {
    // No /proc, no processes to tell of.
  }
  return pids.sort((a, b) => a - b);
}

/** Snapshot events, ancestors before descendants wherever pids did not wrap. `tsNs` is left 0. */
export function* snapshotEvents(reader = new ProcReader()): Generator<SentinelEvent> {
  for (const pid of listPids(reader.root)) {
    const event = reader.event(pid, 'snapshot');
    if (event !== undefined) yield event;
  }
}

/** The same as encoded records back to back, ready for a batch. */
export function snapshotRecords(reader = new ProcReader()): { bytes: Buffer; count: number } {
  const records: Buffer[] = [];
  for (const event of snapshotEvents(reader)) records.push(encodeEvent(event, bootNowNs()));
  return { bytes: Buffer.concat(records), count: records.length };
}
