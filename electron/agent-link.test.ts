import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import type { HostRequest, HostStatus } from '../agent/desktop.ts';
import { AgentLink, type HostProcess } from './agent-link.ts';

class FakeHost extends EventEmitter implements HostProcess<string> {
  readonly sent: { message: HostRequest; ports: string[] }[] = [];
  killed = false;

  postMessage(message: HostRequest, ports: string[] = []): void {
    this.sent.push({ message, ports });
  }

  kill(): boolean {
    this.killed = true;
    this.emit('exit', 143);
    return true;
  }
}

function setUp() {
  const hosts: FakeHost[] = [];
  const statuses: HostStatus[] = [];
  const closed: string[] = [];
  const acts: string[] = [];
  const timers: { delayMs: number; callback: () => void }[] = [];
  const link = new AgentLink<string>({
    fork: () => {
      const host = new FakeHost();
      hosts.push(host);
      return host;
    },
    onStatus: (status) => statuses.push(status),
    onAct: ({ id }) => acts.push(id),
    closePort: (port) => closed.push(port),
    after: (delayMs, callback) => timers.push({ delayMs, callback }),
  });
  const fire = (): void => timers.shift()?.callback();
  return { link, hosts, statuses, acts, closed, timers, fire };
}

const OK: HostStatus = { mode: 'hosted', level: 'ok', sentence: 'Recording everything' };

describe('agent link', () => {
  it('passes ports on to the host and statuses back', () => {
    const { link, hosts, statuses, acts, closed } = setUp();
    link.connect('too early');
    link.start();
    link.connect('p1');
    hosts[0]?.emit('message', { type: 'status', status: OK });
    hosts[0]?.emit('message', { type: 'act', act: { id: 'a-1' } });
    expect(acts).toEqual(['a-1']);
    expect(closed).toEqual(['too early']);
    expect(hosts[0]?.sent).toEqual([{ message: { type: 'connect' }, ports: ['p1'] }]);
    expect(statuses).toEqual([OK]);
  });

  it('starts a host that died again, ever more slowly, and says that nothing is recorded', () => {
    const { link, hosts, statuses, timers, fire } = setUp();
    link.start();
    const delays: (number | undefined)[] = [];
    for (let i = 0; i < 7; i += 1) {
      hosts.at(-1)?.emit('exit', 9);
      delays.push(timers[0]?.delayMs);
      fire();
    }
    expect(delays).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
    expect(hosts).toHaveLength(8);
    expect(statuses[0]).toMatchObject({
      level: 'failed',
      sentence: expect.stringContaining('nothing is recorded'),
    });
    hosts.at(-1)?.emit('message', { type: 'status', status: OK });
    hosts.at(-1)?.emit('exit', 9);
    expect(timers[0]?.delayMs).toBe(1000);
  });

  it('waits for the host to finish its log when stopping, and kills it only if it does not', async () => {
    const clean = setUp();
    clean.link.start();
    const ended = clean.link.stop();
    expect(clean.hosts[0]?.sent).toEqual([{ message: { type: 'stop' }, ports: [] }]);
    clean.hosts[0]?.emit('exit', 0);
    await ended;
    clean.fire();
    expect(clean.hosts[0]?.killed).toBe(false);
    expect(clean.hosts).toHaveLength(1);

    const stuck = setUp();
    stuck.link.start();
    const killed = stuck.link.stop();
    stuck.fire();
    await killed;
    expect(stuck.hosts[0]?.killed).toBe(true);
  });
});
