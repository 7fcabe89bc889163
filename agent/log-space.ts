/**
 * How the two logs share a disk that is nearly full. With space enough both get their usual segments, and the
 * observability log leaves a reserve of 256 MiB alone. Started with less than that, an agent that refused to run would
 * record nothing at all, so the logs start small: the observability log gets one small segment and a spare and then
 * waits for space (its lane sheds meanwhile, and counts), everything else is left to the security log.
 */
import type { Lane } from './event.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const USUAL_RESERVE: Readonly<Record<Lane, number>> = { security: 16 * MIB, observability: 256 * MIB };
/** Smallest segment of the format. */
const MIN_SEGMENT = 64 * KIB;
const SMALL_SEGMENT = MIB;
/** A segment in use and its spare, and as much again for the database and whoever else writes. */
const ROOM_IN_SEGMENTS = 3;
/** The segment in use and the spare that waits. */
const SEGMENTS_AT_ONCE = 2;

interface LogSpace {
  segmentBytes: number;
  /** Free bytes below which no segment is started; the log's own default if not given. */
  minFreeBytes?: number;
}

/**
 * What each log may take of a file system with `freeBytes` left. For both at once and before either is opened: the
 * security log prepares its spare segment at its own time, so what is free in between is a matter of chance.
 */
export function spaceForLogs(segmentBytes: number, freeBytes: number): Readonly<Record<Lane, LogSpace>> {
  const security = isEnough('security', segmentBytes, freeBytes)
    ? { segmentBytes }
    : { segmentBytes: fitting(segmentBytes, freeBytes / 8), minFreeBytes: 0 };
  const left = freeBytes - SEGMENTS_AT_ONCE * security.segmentBytes;
  if (isEnough('observability', segmentBytes, left)) return { security, observability: { segmentBytes } };
  const small = fitting(Math.min(segmentBytes, SMALL_SEGMENT), left / 16);
  const minFreeBytes = Math.max(0, Math.floor(left) - ROOM_IN_SEGMENTS * small);
  return { security, observability: { segmentBytes: small, minFreeBytes } };
}

function isEnough(lane: Lane, segmentBytes: number, freeBytes: number): boolean {
  return freeBytes >= USUAL_RESERVE[lane] + ROOM_IN_SEGMENTS * segmentBytes;
}

/** `bytes` halved until it is at most `room`, but a segment still. */
function fitting(bytes: number, room: number): number {
  let size = bytes;
  while (size > room && size / 2 >= MIN_SEGMENT && (size / 2) % 4096 === 0) size /= 2;
  return size;
}
