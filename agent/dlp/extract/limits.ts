/** What reading a container may cost. Each limit ends in a verdict that names it, never in a file called clean. */

export interface ExtractLimits {
  /** Unpacked bytes and bytes of text together, over all levels. */
  maxOutputBytes: number;
  /** Output for each byte of the file; looked at once the output is larger than `ratioFloorBytes`. */
  maxRatio: number;
  ratioFloorBytes: number;
  /** Containers inside containers; the file itself is the first. */
  maxDepth: number;
  maxMembers: number;
  /** A container inside another is held in memory if it is compressed there and cannot be read as a stream. */
  maxNestedBytes: number;
  /** Files that a parser needs whole in memory (PDF). */
  maxWholeBytes: number;
  /** From the start of the child to its end. */
  wallMs: number;
  cpuSeconds: number;
  /** Of the child's JavaScript heap. */
  heapMiB: number;
  /** What the child may allocate in all beyond what it has at its start. */
  dataMiB: number;
}

export const DEFAULT_LIMITS: Readonly<ExtractLimits> = {
  maxOutputBytes: 1024 * 1024 * 1024,
  maxRatio: 250,
  ratioFloorBytes: 32 * 1024 * 1024,
  maxDepth: 8,
  maxMembers: 100_000,
  maxNestedBytes: 32 * 1024 * 1024,
  maxWholeBytes: 32 * 1024 * 1024,
  wallMs: 60_000,
  cpuSeconds: 45,
  heapMiB: 64,
  dataMiB: 80,
};

/** The defaults with what is given put over them. */
export function withDefaults(limits: Partial<ExtractLimits> = {}): ExtractLimits {
  return { ...DEFAULT_LIMITS, ...limits };
}
