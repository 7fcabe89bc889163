import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { counts, of, type Recorder, skipNote, startRecorder, whyNot } from './recorder.ts';

const reason = whyNot();
if (reason) console.warn(`test/native/network: skipped: ${reason}`);

describe.skipIf(reason)(`network, as the kernel shows it${skipNote(reason)}`, () => {
  let recorder: Recorder;
  beforeAll(async () => {
    recorder = await startRecorder();
  });
  afterAll(() => recorder.stop());

  it.each([
    ['4', '127.0.0.1'],
    ['6', '::1'],
  ])('records both ends of TCP connections over IPv%s with ports and bytes', async (version, address) => {
    const { events, stdout, pid } = await recorder.run('tcp', version, '10');
    const [port, clientPort] = stdout.trim().split(' ').map(Number);
    expect(of(events, 'listen')[0]).toMatchObject({
      lane: 'security',
      network: { protocol: 'tcp', srcIp: address, srcPort: port, direction: 'listen' },
    });
    expect(counts(events)).toMatchObject({ connect: 10, accept: 10, close: 20 });
    const ends = { protocol: 'tcp', srcIp: address, srcPort: clientPort, dstIp: address, dstPort: port };
    expect(of(events, 'connect')[0]?.network).toMatchObject({ ...ends, direction: 'outbound' });
    expect(of(events, 'accept')[0]?.network).toMatchObject({ ...ends, direction: 'inbound' });
    const closes = of(events, 'close').filter((event) => event.network?.srcPort === clientPort);
    const byDirection = Object.fromEntries(closes.map((event) => [event.network?.direction, event.network]));
    expect(byDirection['outbound']).toMatchObject({ ...ends, bytesSent: 1000, bytesReceived: 10 });
    expect(byDirection['inbound']).toMatchObject({ ...ends, bytesSent: 10, bytesReceived: 1000 });
    for (const event of events.filter((one) => one.type === 'network')) expect(event.process?.pid).toBe(pid);
    expect(Number(closes[0]?.details?.['durationNs'])).toBeGreaterThan(0);
  });

  it('records a connection that was refused, with the error', async () => {
    const { events } = await recorder.run('refused');
    expect(of(events, 'connect')[0]).toMatchObject({
      network: { dstIp: '127.0.0.1', direction: 'outbound' },
      details: { error: 'ECONNREFUSED' },
    });
    expect(of(events, 'close')).toEqual([]);
  });

  it('records each UDP destination once, connected or not', async () => {
    const { events } = await recorder.run('udp', '50');
    const sent = [...of(events, 'send'), ...of(events, 'connect')].map(({ action, network }) => [
      action,
      network?.protocol,
      network?.dstIp,
      network?.dstPort,
    ]);
    expect(sent).toEqual([
      ['send', 'udp', '127.0.0.9', 5353],
      ['send', 'udp', '127.0.0.9', 5454],
      ['connect', 'udp', '127.0.0.9', 5555],
    ]);
  });

  it('reads DNS questions from packets', async () => {
    const { events, pid } = await recorder.run('dns', 'xn--strae-oqa.example.org', '28');
    const queries = of(events, 'query');
    expect(queries.map((event) => [event.type, event.network?.dstIp])).toEqual([
      ['dns', '127.0.0.1'],
      ['dns', '::1'],
    ]);
    for (const event of queries) {
      expect(event.dns).toEqual({ query: 'xn--strae-oqa.example.org', recordType: 'AAAA' });
      expect(event.process?.pid).toBe(pid);
      expect(event.network?.dstPort).toBe(53);
    }
  });

  it('lost nothing', () => {
    expect(recorder.losses).toEqual([]);
  });
});
