import { describe, expect, it } from 'vitest';
import type { SentinelEvent } from '../event.ts';
import { parseAddress, parseNetTable } from './proc-net.ts';
import { inScope, scopeFilter } from './scope.ts';

describe('/proc/net tables', () => {
  it('reads addresses as the kernel prints them', () => {
    expect(parseAddress('0100007F')).toBe('127.0.0.1');
    expect(parseAddress('00000000000000000000000001000000')).toBe('::1');
    expect(parseAddress('0000000000000000FFFF00000100007F')).toBe('127.0.0.1');
    expect(parseAddress('B80D01200000000067452301EFCDAB89')).toBe('2001:db8::123:4567:89ab:cdef');
    expect(parseAddress('00000000000000000000000000000000')).toBe('::');
  });

  it('skips lines that are no sockets', () => {
    const text = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0CEA 00000000:0000 0A 00000000:00000000 00:00000000 00000000   105        0 23456 1 0000000000000000 100 0 0 10 0
garbage
   1: 0100007F 00000000:0000 0A`;
    expect(parseNetTable(text, 'tcp')).toEqual([
      {
        protocol: 'tcp',
        localIp: '127.0.0.1',
        localPort: 3306,
        remoteIp: '0.0.0.0',
        remotePort: 0,
        state: 10,
        uid: 105,
        inode: 23456,
      },
    ]);
  });
});

describe('scope', () => {
  const of = (action: string, pid: number, ppid: number, cgroup?: string): SentinelEvent => ({
    eventId: 0,
    type: 'process',
    action,
    lane: 'security',
    tsNs: 0n,
    severity: 'info',
    process: { pid, ppid, startNs: 1n, name: '' },
    details: cgroup === undefined ? undefined : { cgroup },
  });

  it('follows descendants of a pid until they end', () => {
    const filter = scopeFilter({ kind: 'pid', pid: 10 });
    expect(inScope(filter, of('fork', 11, 10))).toBe(true);
    expect(inScope(filter, of('fork', 12, 11))).toBe(true);
    expect(inScope(filter, of('fork', 13, 9))).toBe(false);
    expect(inScope(filter, of('exit', 11, 10))).toBe(true);
    expect(inScope(filter, of('fork', 11, 9))).toBe(false);
    expect(inScope(filter, of('exec', 12, 1))).toBe(true);
  });

  it('takes a cgroup and those below it', () => {
    const filter = scopeFilter({ kind: 'cgroup', path: '/sys/fs/cgroup/unified/app.slice/' });
    expect(inScope(filter, of('exec', 1, 0, '/app.slice/web'))).toBe(true);
    expect(inScope(filter, of('exec', 2, 0, '/app.slices'))).toBe(false);
    expect(inScope(filter, of('exec', 3, 0))).toBe(false);
  });
});
