/** Opens the timeline; one that is damaged is moved aside and made again from the logs. */
import { TimelineCorruptError } from './store/errors.ts';
import { openTimeline, type Timeline } from './store/timeline.ts';
import type { LanePositions } from './timeline-messages.ts';

export function openTimelineOrRebuild(path: string): { timeline: Timeline; rebuilt?: string } {
  try {
    return { timeline: openTimeline(path) };
  } catch (error) {
    if (!(error instanceof TimelineCorruptError)) throw error;
    return {
      timeline: openTimeline(path),
      rebuilt: `${error.message}; the timeline is being made again from the logs`,
    };
  }
}

/** How far the logs are stored; 0 for a log of which nothing is. */
export function positionsOf(timeline: Timeline): LanePositions {
  const { security, observability } = timeline.cursors();
  return { security: security ?? 0, observability: observability ?? 0 };
}
