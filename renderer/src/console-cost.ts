/**
 * What this page itself costs, as far as a browser tells a page: memory of its scripts (Chromium only) and how long its
 * main thread was held by tasks of 50 ms or more. No page can see the CPU of its own process.
 */
interface Memory {
  usedJSHeapSize: number;
  jsHeapSizeLimit: number;
}

let heldMs = 0;
let sampledMs = performance.now();

if (PerformanceObserver.supportedEntryTypes.includes('longtask')) {
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) heldMs += entry.duration;
  }).observe({ type: 'longtask' });
}

function memory(): Memory | undefined {
  return (performance as Performance & { memory?: Memory }).memory;
}

/** Bytes that scripts of this page may use at most; undefined where the browser does not say. */
export function heapLimit(): number | undefined {
  return memory()?.jsHeapSizeLimit;
}

/** Cost now, the main thread's since the last call. */
export function consoleCost(): { heapBytes: number; busyPercent: number } {
  const nowMs = performance.now();
  const busyPercent = Math.min(100, (heldMs / Math.max(1, nowMs - sampledMs)) * 100);
  heldMs = 0;
  sampledMs = nowMs;
  return { heapBytes: memory()?.usedJSHeapSize ?? 0, busyPercent };
}
