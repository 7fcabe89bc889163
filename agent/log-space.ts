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

/** Size of segments, and the free bytes below which none is started, for a file system with `freeBytes` left. */
export function spaceFor(
  lane: Lane,
  segmentBytes: number,
  freeBytes: number,
): { segmentBytes: number; minFreeBytes?: number } {
  if (freeBytes >= USUAL_RESERVE[lane] + ROOM_IN_SEGMENTS * segmentBytes) return { segmentBytes };
  if (lane === 'observability') {
    const small = fitting(Math.min(segmentBytes, SMALL_SEGMENT), freeBytes / 16);
    return { segmentBytes: small, minFreeBytes: Math.max(0, Math.floor(freeBytes) - 3 * small) };
  }
  return { segmentBytes: fitting(segmentBytes, freeBytes / 8), minFreeBytes: 0 };
}

/** `bytes` halved until it is at most `room`, but a segment still. */
function fitting(bytes: number, room: number): number {
  let size = bytes;
  while (size > room && size / 2 >= MIN_SEGMENT && (size / 2) % 4096 === 0) size /= 2;
  return size;
}
