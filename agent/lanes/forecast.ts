/**
 * Forecast of an arrival rate by Holt's linear method (double exponential smoothing: a level and a trend; Holt 1957,
 * reprinted in Int. J. Forecasting 20, 2004). The trend is damped, so that the end of a burst does not read as a
 * dive below zero. Units: records per second.
 */
const LEVEL_WEIGHT = 0.4;
const TREND_WEIGHT = 0.2;
const TREND_DAMPING = 0.9;
/** Share of maxBatchMs that one batch is meant to span. */
const BATCH_SPAN = 0.5;

export class RateForecast {
  private level = 0;
  private trend = 0;
  private primed = false;

  /** `count` records arrived in the last `elapsedMs`. Intervals of zero length are ignored. */
  observe(count: number, elapsedMs: number): void {
    if (!(elapsedMs > 0)) return;
    const rate = (count * 1000) / elapsedMs;
    if (!this.primed) {
      this.primed = true;
      this.level = rate;
      return;
    }
    const previous = this.level;
    this.level = LEVEL_WEIGHT * rate + (1 - LEVEL_WEIGHT) * (previous + TREND_DAMPING * this.trend);
    this.trend = TREND_WEIGHT * (this.level - previous) + (1 - TREND_WEIGHT) * TREND_DAMPING * this.trend;
  }

  /** Expected rate of the next interval. */
  get perSecond(): number {
    return Math.max(0, this.level + TREND_DAMPING * this.trend);
  }

  /** Records to expect in the time one batch is meant to span, within the hard limit. */
  batchSize(maxBatchMs: number, maxBatchRecords: number): number {
    const wanted = Math.round((this.perSecond * maxBatchMs * BATCH_SPAN) / 1000);
    return Math.min(maxBatchRecords, Math.max(1, wanted));
  }
}
