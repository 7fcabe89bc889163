/** One measured figure of a bench, printed as one JSON line with `--json`. */
export interface Figure {
  bench: string;
  metric: string;
  value: number;
  unit: string;
  /** What the value is compared with, measured in the same run. */
  peer?: string;
  /** value / peer's value. */
  ratio?: number;
  /** The budget in words, as docs/architecture.md states it. */
  budget?: string;
  ok: boolean;
  note?: string;
}

export interface BenchOptions {
  quick: boolean;
}
