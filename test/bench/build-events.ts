/**
 * The events of a build that forks many processes. More than half of them lie flat below one process, the worst case
 * for a list; the others are below those.
 */
import { type ProcessInfo, type ProcessRef, type SentinelEvent, eventIdOf } from '../../agent/event.ts';

const MAKE_PID = 5_000_000;
/** Started at another time than any process of the day before. */
const MAKE_START_NS = 4_000_000_000_000_000n;
/** Of three processes that make starts two are compilers and one is a shell with two children. */
const GROUP = 5;

export const MAKE_ENTITY = `${MAKE_PID}-${MAKE_START_NS}`;

function processAt(n: number): ProcessInfo {
  const place = n % GROUP;
  // Places 0 and 1: compilers of make; 2: a shell of make; 3 and 4: what that shell runs.
  const isDeep = place > 2;
  const name = (['cc1', 'cc1', 'sh', 'as', 'ld'] as const)[place] ?? 'sh';
  const startNs = MAKE_START_NS + BigInt(n + 1) * 1_000_000n;
  const parent = isDeep ? n - place + 2 : undefined;
  return {
    pid: MAKE_PID + n + 1,
    startNs,
    ppid: parent === undefined ? MAKE_PID : MAKE_PID + parent + 1,
    parentStartNs: parent === undefined ? MAKE_START_NS : MAKE_START_NS + BigInt(parent + 1) * 1_000_000n,
    name,
    executable: `/usr/bin/${name}`,
    argv: [name, '-o', `build/obj/unit-${n}.o`, `src/unit-${n}.c`],
    cwd: '/home/dev/project',
    uid: 1000,
    user: 'dev',
    flags: [],
  };
}

/** How many of `count` processes make itself started. */
export const directChildren = (count: number): number => Math.floor(count / GROUP) * 3;

/** The events of the build, `count` processes in all, in batches; `lastSeq` of the security lane grows with them. */
export function* buildEvents(
  count: number,
  startNs: bigint,
  last: { security: number },
): Generator<SentinelEvent[]> {
  const make: ProcessRef = {
    pid: MAKE_PID,
    startNs: MAKE_START_NS,
    name: 'make',
    executable: '/usr/bin/make',
    argv: ['make', '-j8', 'all'],
    cwd: '/home/dev/project',
    uid: 1000,
    user: 'dev',
  };
  let tsNs = startNs;
  const event = (action: string, process: ProcessInfo): SentinelEvent => {
    last.security += 1;
    tsNs += 20_000n;
    return {
      eventId: eventIdOf('security', last.security),
      type: 'process',
      action,
      lane: 'security',
      tsNs,
      severity: 'info',
      process,
    };
  };
  yield [event('exec', { ...make, ppid: 1, flags: [] })];
  let batch: SentinelEvent[] = [];
  for (let n = 0; n < count; n += 1) {
    const process = processAt(n);
    batch.push(event('exec', process));
    if (n % GROUP !== 2) batch.push(event('exit', { ...process, exitCode: 0 }));
    if (batch.length >= 2000) {
      yield batch;
      batch = [];
    }
  }
  if (batch.length > 0) yield batch;
}
