import { describe, expect, it } from 'vitest';
import type { WorkerMethod } from './timeline-messages.ts';
import { TimelineTurns } from './timeline-turns.ts';

function setUp() {
  const sent: number[] = [];
  const turns = new TimelineTurns(({ id }) => sent.push(id));
  const ask = (id: number, method: WorkerMethod): void => turns.add({ kind: 'call', id, method, params: {} });
  return { sent, turns, ask };
}

describe('turns at the timeline worker', () => {
  it('hands counts over one at a time, after everything that somebody waits for with an empty list', () => {
    const { sent, turns, ask } = setUp();
    turns.add({ kind: 'follow', id: 1, query: '', limit: 200 });
    ask(2, 'events.histogram');
    ask(3, 'events.facets');
    ask(4, 'events.get');
    expect(sent).toEqual([1, 4]);
    turns.answered(1);
    expect(sent).toEqual([1, 4]);
    turns.answered(4);
    expect(sent).toEqual([1, 4, 2]);
    ask(5, 'events.query');
    turns.answered(2);
    expect(sent).toEqual([1, 4, 2, 5]);
    turns.answered(5);
    turns.answered(3);
    expect(sent).toEqual([1, 4, 2, 5, 3]);
  });

  it('does not work on counts that were taken back, and says when it is too late for that', () => {
    const { sent, turns, ask } = setUp();
    for (const id of [1, 2, 3]) ask(id, 'events.histogram');
    expect([turns.takeBack(1), turns.takeBack(2), turns.takeBack(2)]).toEqual([false, true, false]);
    turns.answered(1);
    expect(sent).toEqual([1, 3]);
    turns.clear();
    ask(4, 'events.facets');
    expect(sent).toEqual([1, 3, 4]);
  });
});
