/** The work that the capture bench has done: processes, files and connections, as fast as they go or so many of them. */

export interface Storm {
  name: string;
  /** What one turn leaves, by action, with the hook that states its loss. */
  records: readonly { action: string; hook: string; each: number }[];
  /** Runs as fast as it can for a time and prints the turns. */
  forMs(ms: number): string[];
  /** Costs are compared with the heavier work too, and what that gives is told, not judged. */
  onlyCost: boolean;
  /** Turns that one round of the cost comparison does, and how. */
  turns: number;
  fixed(turns: number): string[];
  /** Budget of turns per second that must be complete. */
  ratePerSecond: number;
  /** Most that the workload's CPU may grow by; undefined where the figure is extra information. */
  cpuBudget?: number;
}

const COST_ONLY = {
  onlyCost: true,
  records: [],
  forMs: (): string[] => [],
  ratePerSecond: 0,
} as const;

/** The storms: those that are judged do the least that a turn can, so that recording weighs the most. */
export function storms(workload: string, tiny: string, memory: string, disk: string): Storm[] {
  return [
    {
      name: 'fork+exec',
      records: [
        { action: 'fork', hook: 'sched_process_fork', each: 1 },
        { action: 'exec', hook: 'sched_process_exec', each: 1 },
        { action: 'exit', hook: 'sched_process_exit', each: 1 },
      ],
      forMs: (ms) => [workload, 'execfor', String(ms), tiny],
      onlyCost: false,
      turns: 1000,
      fixed: (turns) => [workload, 'exec', String(turns), tiny],
      ratePerSecond: 10_000,
      cpuBudget: 1.1,
    },
    {
      name: 'files',
      records: [
        { action: 'create', hook: 'openat', each: 1 },
        { action: 'write', hook: 'close', each: 1 },
        { action: 'unlink', hook: 'unlink', each: 1 },
      ],
      // As fast as files get, in memory; what it costs is measured where files usually are.
      forMs: (ms) => [workload, 'stormfor', memory, String(ms)],
      onlyCost: false,
      turns: 4000,
      fixed: (turns) => [workload, 'storm', disk, String(turns), '1'],
      ratePerSecond: 50_000 / 3,
      cpuBudget: 1.2,
    },
    {
      name: 'connections',
      records: [
        { action: 'connect', hook: 'inet_sock_set_state', each: 1 },
        { action: 'accept', hook: 'accept', each: 1 },
        { action: 'close', hook: 'inet_sock_set_state', each: 2 },
      ],
      forMs: (ms) => [workload, 'connectsfor', String(ms)],
      onlyCost: false,
      turns: 4000,
      fixed: (turns) => [workload, 'connects', String(turns), '0'],
      ratePerSecond: 20_000,
      cpuBudget: 1.2,
    },
    {
      ...COST_ONLY,
      name: 'files of 64 KiB',
      turns: 2000,
      fixed: (turns) => [workload, 'storm', disk, String(turns), '65536'],
    },
    {
      ...COST_ONLY,
      name: 'connections with 1 KiB each way',
      turns: 2000,
      fixed: (turns) => [workload, 'connects', String(turns), '1024'],
    },
  ];
}
