/**
 * What the machine reports of itself, read from /proc (formats: Documentation/filesystems/proc.rst,
 * admin-guide/iostats.rst, accounting/psi.rst). Counters are left as counters; `metrics.ts` makes rates of them.
 *
 * A file that is missing or unreadable leaves its metrics out: nothing is invented. Elsewhere than on Linux only what
 * node:os knows is reported.
 */
import { readdirSync, readFileSync, statfsSync } from 'node:fs';
import { cpus, freemem, loadavg, totalmem } from 'node:os';

/** Reads a file whole, or undefined. Replaceable in tests. */
export type ReadText = (path: string) => string | undefined;

export interface SystemReading {
  /** Values that are what they are: bytes, load. */
  gauges: Map<string, number>;
  /** Counters that become a rate per second; the name already says so. */
  counters: Map<string, number>;
  /** Counters of time; shares of the sum of all of them become percentages. */
  cpuTicks: Map<string, number>;
  /** Counters of time in ms; their share of the elapsed time becomes a percentage. */
  busyMs: Map<string, number>;
}

/** Devices and interfaces beyond this many (the quietest ones) are left out. */
const MAX_DEVICES = 16;
const SECTOR_BYTES = 512;
const CPU_MODES = ['user', 'nice', 'system', 'idle', 'iowait', 'irq', 'softirq', 'steal'];

export const readText: ReadText = (path) => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
};

/** One reading of everything. `dataDir` is the folder whose free space matters to the agent. */
export function readSystem(dataDir: string, read: ReadText = readText): SystemReading {
  const reading: SystemReading = {
    gauges: new Map(),
    counters: new Map(),
    cpuTicks: new Map(),
    busyMs: new Map(),
  };
  if (process.platform === 'linux') {
    readStat(reading, read('/proc/stat'));
    readMeminfo(reading, read('/proc/meminfo'));
    readDiskstats(reading, read('/proc/diskstats'), wholeDisks());
    readNetDev(reading, read('/proc/net/dev'));
    readLoadavg(reading, read('/proc/loadavg'));
    for (const resource of ['cpu', 'memory', 'io']) {
      readPressure(reading, resource, read(`/proc/pressure/${resource}`));
    }
  } else readPortable(reading);
  readSpace(reading, dataDir);
  return reading;
}

function readStat(reading: SystemReading, text: string | undefined): void {
  for (const line of (text ?? '').split('\n')) {
    const [name = '', ...fields] = line.split(/\s+/);
    if (name === 'cpu') {
      for (const [i, mode] of CPU_MODES.entries()) {
        const ticks = Number(fields[i]);
        if (Number.isFinite(ticks)) reading.cpuTicks.set(`cpu.${mode}_percent`, ticks);
      }
    } else if (name === 'ctxt') reading.counters.set('cpu.context_switches_per_s', Number(fields[0]));
    else if (name === 'processes') reading.counters.set('cpu.forks_per_s', Number(fields[0]));
    else if (name === 'procs_running') reading.gauges.set('cpu.runnable', Number(fields[0]));
    else if (name === 'procs_blocked') reading.gauges.set('cpu.blocked', Number(fields[0]));
  }
}

const MEMINFO: Readonly<Record<string, string>> = {
  MemTotal: 'memory.total_bytes',
  MemFree: 'memory.free_bytes',
  MemAvailable: 'memory.available_bytes',
  Cached: 'memory.cached_bytes',
  Dirty: 'memory.dirty_bytes',
  SwapTotal: 'memory.swap_total_bytes',
  SwapFree: 'memory.swap_free_bytes',
};

function readMeminfo(reading: SystemReading, text: string | undefined): void {
  for (const match of (text ?? '').matchAll(/^(\w+):\s+(\d+) kB$/gm)) {
    const metric = MEMINFO[match[1] ?? ''];
    if (metric !== undefined) reading.gauges.set(metric, Number(match[2]) * 1024);
  }
}

/** Names of block devices that are not partitions. */
function wholeDisks(): Set<string> | undefined {
  try {
    return new Set(readdirSync('/sys/block'));
  } catch {
    return undefined;
  }
}

function readDiskstats(reading: SystemReading, text: string | undefined, disks?: Set<string>): void {
  const devices: { name: string; total: number; fields: number[] }[] = [];
  for (const line of (text ?? '').split('\n')) {
    const [, , name, ...rest] = line.trim().split(/\s+/);
    if (name === undefined || (disks !== undefined && !disks.has(name.replaceAll('/', '!')))) continue;
    const fields = rest.map(Number);
    const total = (fields[2] ?? 0) + (fields[6] ?? 0);
    if (total > 0) devices.push({ name, total, fields });
  }
  for (const { name, fields } of busiest(devices)) {
    const [reads = 0, , readSectors = 0, , writes = 0, , writeSectors = 0, , , ioMs = 0] = fields;
    reading.counters.set(`disk.${name}.reads_per_s`, reads);
    reading.counters.set(`disk.${name}.read_bytes_per_s`, readSectors * SECTOR_BYTES);
    reading.counters.set(`disk.${name}.writes_per_s`, writes);
    reading.counters.set(`disk.${name}.write_bytes_per_s`, writeSectors * SECTOR_BYTES);
    reading.busyMs.set(`disk.${name}.busy_percent`, ioMs);
  }
}

function readNetDev(reading: SystemReading, text: string | undefined): void {
  const devices: { name: string; total: number; fields: number[] }[] = [];
  for (const line of (text ?? '').split('\n')) {
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    const fields = line
      .slice(colon + 1)
      .trim()
      .split(/\s+/)
      .map(Number);
    const total = (fields[0] ?? 0) + (fields[8] ?? 0);
    if (total > 0) devices.push({ name: line.slice(0, colon).trim(), total, fields });
  }
  for (const { name, fields } of busiest(devices)) {
    const [rxBytes = 0, rxPackets = 0, rxErrors = 0, rxDrops = 0] = fields;
    const [txBytes = 0, txPackets = 0, txErrors = 0, txDrops = 0] = fields.slice(8);
    reading.counters.set(`network.${name}.receive_bytes_per_s`, rxBytes);
    reading.counters.set(`network.${name}.receive_packets_per_s`, rxPackets);
    reading.counters.set(`network.${name}.transmit_bytes_per_s`, txBytes);
    reading.counters.set(`network.${name}.transmit_packets_per_s`, txPackets);
    reading.counters.set(`network.${name}.errors_per_s`, rxErrors + txErrors);
    reading.counters.set(`network.${name}.drops_per_s`, rxDrops + txDrops);
  }
}

function busiest<T extends { total: number }>(devices: T[]): T[] {
  return devices.toSorted((a, b) => b.total - a.total).slice(0, MAX_DEVICES);
}

function readLoadavg(reading: SystemReading, text: string | undefined): void {
  const [one, five, fifteen] = (text ?? '').split(' ');
  for (const [name, value] of [
    ['load.1m', one],
    ['load.5m', five],
    ['load.15m', fifteen],
  ] as const) {
    if (value !== undefined && value !== '') reading.gauges.set(name, Number(value));
  }
}

/** Stall time, so that the percentage covers exactly the sample's interval (the averages of the file do not). */
function readPressure(reading: SystemReading, resource: string, text: string | undefined): void {
  for (const match of (text ?? '').matchAll(/^(some|full) .*\btotal=(\d+)/gm)) {
    reading.busyMs.set(`pressure.${resource}_${match[1]}_percent`, Number(match[2]) / 1000);
  }
}

function readSpace(reading: SystemReading, dataDir: string): void {
  try {
    const { bsize, blocks, bavail } = statfsSync(dataDir);
    reading.gauges.set('data_dir.total_bytes', bsize * blocks);
    reading.gauges.set('data_dir.available_bytes', bsize * bavail);
  } catch {
    // The folder is gone or its file system does not answer: its own health problem, not a metric.
  }
}

function readPortable(reading: SystemReading): void {
  for (const cpu of cpus()) {
    const { user, nice, sys, idle, irq } = cpu.times;
    for (const [mode, ms] of [
      ['user', user],
      ['nice', nice],
      ['system', sys],
      ['idle', idle],
      ['irq', irq],
    ] as const) {
      const name = `cpu.${mode}_percent`;
      reading.cpuTicks.set(name, (reading.cpuTicks.get(name) ?? 0) + ms);
    }
  }
  reading.gauges.set('memory.total_bytes', totalmem());
  reading.gauges.set('memory.free_bytes', freemem());
  if (process.platform === 'win32') return;
  const [one = 0, five = 0, fifteen = 0] = loadavg();
  reading.gauges.set('load.1m', one);
  reading.gauges.set('load.5m', five);
  reading.gauges.set('load.15m', fifteen);
}
