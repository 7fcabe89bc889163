import { describe as group, expect, it } from 'vitest';
import type { EventJson } from '../../../agent/api/contract.ts';
import { en } from '../i18n/en.ts';
import { setLocale } from '../i18n/i18n.ts';
import { commandLine, describe, sentence, verdictOf } from './sentence.ts';

const base: EventJson = {
  eventId: '2',
  eventVersion: 1,
  type: 'process',
  action: 'exec',
  lane: 'security',
  tsNs: '1700000000000000000',
  severity: 'info',
  process: {
    pid: 7,
    startNs: '1',
    name: 'curl',
    executable: '/usr/bin/curl',
    argv: ['curl', 'https://example.org/a b'],
  },
  parent: { pid: 5, startNs: '1', name: 'bash' },
};

group('sentences', () => {
  it('say who ran what, with arguments kept apart', () => {
    expect(sentence(base)).toBe("bash ran curl 'https://example.org/a b'");
  });

  it('say what was renamed to what', () => {
    expect(
      sentence({
        ...base,
        type: 'file',
        action: 'rename',
        file: { path: '/b', oldPath: '/a', op: 'rename' },
      }),
    ).toBe('curl renamed /a to /b');
  });

  it('name the other end of a connection in both directions', () => {
    const network = {
      protocol: 'tcp',
      srcIp: '10.0.0.1',
      srcPort: 40000,
      dstIp: '2001:db8::1',
      dstPort: 443,
    };
    expect(
      sentence({
        ...base,
        type: 'network',
        action: 'connect',
        network: { ...network, direction: 'outbound' },
      }),
    ).toBe('curl connected to [2001:db8::1]:443 (tcp)');
    expect(
      sentence({ ...base, type: 'network', action: 'accept', network: { ...network, direction: 'inbound' } }),
    ).toBe('curl accepted a connection from 10.0.0.1:40000 (tcp)');
  });

  it('say how a process ended', () => {
    const ended = { ...base, action: 'exit', process: { ...base.process!, exitCode: 1 } };
    expect(sentence(ended)).toBe('curl ended (exit code 1)');
    expect(sentence({ ...ended, process: { ...base.process!, exitCode: 0 } })).toBe('curl ended');
    expect(sentence({ ...ended, process: { ...base.process!, exitSignal: 9 } })).toBe(
      'curl ended (signal 9)',
    );
  });

  it('say what a gap lost and why', () => {
    const gap = { lane: 'security' as const, cause: 'ring_full', count: '1204', fromNs: '1', toNs: '2' };
    const event = { ...base, type: 'integrity_gap', action: 'gap', process: undefined, gap };
    expect(sentence(event)).toBe('The record has a gap 1,204 records lost (kernel ring full)');
    expect(sentence({ ...event, gap: { ...gap, cause: 'new_cause', count: undefined } })).toBe(
      'The record has a gap an unknown number lost (new cause)',
    );
  });

  it('still read when the agent is newer than the console', () => {
    expect(
      sentence({ ...base, type: 'quantum', action: 'was_entangled', file: { path: '/x', op: '' } }),
    ).toBe('curl was entangled /x');
    expect(sentence({ ...base, type: 'health', action: 'started', process: undefined, message: 'up' })).toBe(
      'The agent started up',
    );
    expect(sentence({ ...base, action: 'exec', process: undefined, parent: undefined })).toBe(
      'The agent ran',
    );
  });

  it('have a verb in the table for every row that has one', () => {
    for (const key of Object.keys(en).filter((name) => /^verb\.(?!decision)\w+\.\w+$/.test(name))) {
      const [, type = '', action = ''] = key.split('.');
      const parts = describe({ ...base, type, action });
      expect(parts[1]).toEqual({ kind: 'verb', text: en[key as keyof typeof en] });
    }
  });

  it('speak Spanish too', () => {
    setLocale('es');
    expect(sentence(base)).toContain('bash ejecutó curl');
    setLocale('en');
  });

  it('know what to ask for to find the like', () => {
    const parts = describe(base);
    expect(parts[0]?.ask).toEqual({ field: 'parent.name', value: 'bash' });
    expect(parts[2]?.ask).toEqual({ field: 'image', value: '/usr/bin/curl' });
    const file = { path: '/b', oldPath: '/a', op: 'rename' };
    const renamed = describe({ ...base, type: 'file', action: 'rename', file });
    expect(renamed.map((part) => part.ask?.field)).toEqual([
      'name',
      undefined,
      'file.old',
      undefined,
      'file',
    ]);
  });

  it('stay short for a huge command line', () => {
    const argv = ['sh', '-c', 'x'.repeat(1 << 20)];
    expect(commandLine(argv).length).toBeLessThan(4200);
    expect(commandLine(['a', "it's", ''])).toBe(String.raw`a 'it'\''s' ''`);
  });
});

group('verdicts', () => {
  it('are words, and nothing for what was allowed', () => {
    const network = { protocol: 'tcp', verdict: 'denied' };
    expect(verdictOf({ ...base, network })).toBe('prevented');
    expect(verdictOf({ ...base, network: { ...network, verdict: 'allowed' } })).toBeUndefined();
    expect(verdictOf(base)).toBeUndefined();
  });
});

group('numbers of the kernel', () => {
  const of = (type: string, action: string, details: Record<string, string>): string =>
    sentence({ ...base, type, action, details });

  it('are said as people say them', () => {
    expect(of('memory', 'mprotect_wx', { protection: '0x7', length: '536608768' })).toBe(
      'curl made writable memory executable (rwx, 537 MB)',
    );
    expect(of('memory', 'mmap_exec', { protection: '0x5', length: '4096' })).toBe(
      'curl mapped executable memory (r-x, 4.1 kB)',
    );
    expect(of('process', 'unshare', { flags: '0x10020000' })).toBe('curl made new namespaces (user, mount)');
    expect(of('process', 'capset', { oldEffective: '0x1', effective: '0x200000' })).toBe(
      'curl changed its capabilities (+sys_admin −chown)',
    );
    expect(of('process', 'capset', { oldEffective: '0x0', effective: '0x1ffffffffff' })).toBe(
      'curl changed its capabilities (+41)',
    );
  });

  it('stay as they are when they are none', () => {
    expect(of('memory', 'mprotect_wx', { protection: 'odd', length: '1' })).toContain('(odd, 1 B)');
    expect(of('process', 'unshare', { flags: '0x400' })).toContain('(0x400)');
  });

  it('do not hide that an attempt failed, or whom a fork made', () => {
    const file = { path: '/etc/shadow', op: 'open' };
    expect(sentence({ ...base, type: 'file', action: 'open', file, details: { error: 'EACCES' } })).toBe(
      'curl opened /etc/shadow (failed: EACCES)',
    );
    expect(sentence({ ...base, action: 'fork' })).toBe('bash forked pid 7');
  });
});

group('decisions of policies', () => {
  const decision: NonNullable<EventJson['decision']> = {
    decisionId: 'd1',
    policyId: 'no-x',
    policyVersion: 1,
    policyHash: 'ab',
    policyTitle: 'No x',
    policyState: 'active',
    severity: 'high',
    eventId: '7',
    evidence: [],
    action: 'deny_exec',
    wouldBe: false,
    guardian: 'agent',
    effect: { state: 'applied', mechanism: 'pidfd_sigkill', guarantee: 'killed after start' },
    rationale: { clauses: [], nearMisses: [] },
    latencyNs: {},
    aheadOfRecord: false,
  };
  const event: EventJson = { ...base, type: 'decision', process: undefined, decision };

  it('say what was done and how, and never more', () => {
    expect(sentence(event)).toBe('No x has refused this execution (killed after start)');
    expect(verdictOf(event)).toBe('killed after start');
    const would = { ...event, decision: { ...decision, wouldBe: true } };
    expect(sentence(would)).toBe('No x would have refused this execution (nothing was done)');
    expect(verdictOf(would)).toBeUndefined();
    const effect = { ...decision.effect, state: 'failed', error: 'protected: init' };
    const failed = { ...event, decision: { ...decision, effect } };
    expect(sentence(failed)).toBe('No x tried and failed: refused this execution (protected: init)');
    expect(verdictOf(failed)).toBeUndefined();
  });
});

group('what was found on request', () => {
  const dlp = {
    verdict: 'match',
    trigger: 'scan',
    destination: 'local',
    bytes: '9',
    tookMs: 1,
    ofEventId: '0',
    matchesTotal: 1,
    matches: [{ index: 'board', rule: 'document', kind: 'document', type: 'plan.txt', count: '1' }],
  };
  it('names the file and says that nobody put it there', () => {
    const event = { type: 'dlp', action: 'match', file: { path: '/home/ana/x.txt' }, message: 'y', dlp };
    expect(sentence(event as unknown as EventJson)).toBe(
      'The agent found protected data in /home/ana/x.txt (board · plan.txt ×1)',
    );
    const refused = {
      ...event,
      action: 'unscannable',
      dlp: { ...dlp, matches: [], reason: 'it is encrypted' },
    };
    expect(sentence(refused as unknown as EventJson)).toBe(
      'The agent could not look into /home/ana/x.txt (it is encrypted)',
    );
  });
});
