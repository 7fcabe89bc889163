/** Long and wide histories: what they cost is told in reads and comparisons. */
import { array, assert, nat, option, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Heap } from './heap.ts';
import type { GitObject } from './objects.ts';
import { outgoingBlobs, type ObjectReader } from './outgoing.ts';

const TREE = 'f'.repeat(40);

/** A repository whose commits are told by number; all have the same, empty tree. */
class Made implements ObjectReader {
  reads = 0;
  readonly #commits: { parents: number[]; seconds: number }[];

  constructor(commits: { parents: number[]; seconds: number }[]) {
    this.#commits = commits;
  }

  read(id: string): Promise<GitObject | undefined> {
    this.reads += 1;
    if (id === TREE) return Promise.resolve({ type: 'tree', bytes: Buffer.alloc(0) });
    const commit = this.#commits[Number.parseInt(id, 16)];
    if (commit === undefined) return Promise.resolve(undefined);
    const parents = commit.parents.map((parent) => `parent ${name(parent)}\n`).join('');
    const text = `tree ${TREE}\n${parents}committer a <a@b> ${commit.seconds} +0000\n\nwhat\n`;
    return Promise.resolve({ type: 'commit', bytes: Buffer.from(text) });
  }
}

function name(at: number): string {
  return at.toString(16).padStart(40, '0');
}

const COMMITS = 50_000;
const LIMITS = { maxCommits: 2 * COMMITS, maxBlobs: 10, untilMs: Number.POSITIVE_INFINITY };

describe('a history of 50,000 commits', () => {
  it('is read once when it is a line', async () => {
    const line = Array.from({ length: COMMITS }, (_, at) => ({
      parents: at > 0 ? [at - 1] : [],
      seconds: at,
    }));
    const made = new Made(line);
    const found = await outgoingBlobs(made, [name(COMMITS - 1)], [], LIMITS);
    expect(found).toEqual({ commits: COMMITS, blobs: [], cut: '' });
    // Each as itself and as the parent of the next; the tree of the first, which has none to compare with.
    expect(made.reads).toBe(2 * COMMITS);
  });

  it('is read once when it is as many branches', async () => {
    const tips = Array.from({ length: COMMITS }, (_, at) => ({ parents: [COMMITS], seconds: COMMITS - at }));
    const made = new Made([...tips, { parents: [], seconds: 0 }]);
    const found = await outgoingBlobs(
      made,
      tips.map((_, at) => name(at)),
      [name(COMMITS)],
      LIMITS,
    );
    expect(found).toEqual({ commits: COMMITS, blobs: [], cut: '' });
    expect(made.reads).toBe(2 * COMMITS + 1);
  });

  it('is hidden whole when the remote turns out to have it', async () => {
    // The clock of what the remote has was far behind: it is met when all of the line was taken for outgoing.
    const line = Array.from({ length: COMMITS }, (_, at) => ({
      parents: at > 0 ? [at - 1] : [],
      seconds: 1_000_000 + at,
    }));
    const remote = { parents: [COMMITS - 1], seconds: 999_999 };
    const made = new Made([...line, remote]);
    const found = await outgoingBlobs(made, [name(COMMITS - 1)], [name(COMMITS)], LIMITS);
    expect(found).toEqual({ commits: 0, blobs: [], cut: '' });
    expect(made.reads).toBe(COMMITS + 1);
  });
});

describe('a heap', () => {
  it('gives the greatest first', () => {
    assert(
      property(array(option(nat(50), { nil: undefined })), (steps) => {
        const heap = new Heap<number>((a, b) => a - b);
        const model: number[] = [];
        for (const step of steps) {
          if (step === undefined) {
            model.sort((a, b) => a - b);
            expect(heap.first).toBe(model.at(-1));
            expect(heap.take()).toBe(model.pop());
          } else {
            heap.add(step);
            model.push(step);
          }
        }
        for (const left of model.sort((a, b) => b - a)) expect(heap.take()).toBe(left);
        expect(heap.take()).toBeUndefined();
      }),
    );
  });

  it('compares each with few others, also when each is greater than all before', () => {
    let compared = 0;
    const heap = new Heap<number>((a, b) => {
      compared += 1;
      return a - b;
    });
    for (let at = 0; at < COMMITS; at++) heap.add(at);
    for (let at = COMMITS - 1; at >= 0; at--) expect(heap.take()).toBe(at);
    expect(compared).toBeLessThan(3 * COMMITS * Math.ceil(Math.log2(COMMITS)));
  });
});
