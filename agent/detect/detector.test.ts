import { describe, expect, it } from 'vitest';
import type { SentinelEvent } from '../event.ts';
import { Detector, explainRule } from './detector.ts';
import { loadRules } from './rule-set.ts';
import type { LoadedRule, RuleSet } from './rule-set.ts';

function event(more: Partial<SentinelEvent>): SentinelEvent {
  return {
    eventId: 2,
    type: 'process',
    action: 'exec',
    lane: 'security',
    tsNs: 1_700_000_000_000_000_000n,
    severity: 'info',
    ...more,
  };
}

const exec = event({
  process: {
    pid: 10,
    startNs: 5n,
    ppid: 1,
    name: 'chmod',
    executable: '/usr/bin/chmod',
    argv: ['chmod', 'u+s', '/tmp/my file'],
    cwd: '/tmp',
    uid: 0,
    euid: 33,
    user: 'root',
    hashes: { sha256: 'ab'.repeat(32), blake3: 'cd'.repeat(32) },
  },
  parent: { pid: 1, startNs: 1n, name: 'bash', executable: '/usr/bin/bash', argv: ['bash', '-i'] },
});

const file = (action: string, path: string, oldPath?: string): SentinelEvent =>
  event({
    type: 'file',
    action,
    process: { pid: 3, startNs: 1n, name: 'x', executable: '/bin/x' },
    file: { path, op: action, oldPath },
  });

const connect = event({
  type: 'network',
  action: 'connect',
  process: { pid: 3, startNs: 1n, name: 'x', executable: '/bin/x', uid: 1000, user: 'ann' },
  network: {
    protocol: 'tcp',
    srcIp: '10.0.0.2',
    srcPort: 40000,
    dstIp: '203.0.113.9',
    dstPort: 4444,
    direction: 'outbound',
  },
});

function load(logsource: string, detection: string, id = 'r'): RuleSet {
  const set = loadRules([
    {
      path: 'r.yml',
      text: `title: T\nid: ${id}\nlevel: high\ntags: [attack.t1059.004]\nlogsource: ${logsource}\ndetection:\n${detection}\n`,
      source: 'bundled',
    },
  ]);
  expect(set.failed).toEqual([]);
  return set;
}

const hits = (logsource: string, test: string, one: SentinelEvent): boolean =>
  new Detector(load(logsource, `  s: {${test}}\n  condition: s`)).evaluate(one) !== undefined;

const PROCESS = '{product: linux, category: process_creation}';
const AUDITD = '{product: linux, service: auditd}';

describe('fields of our events', () => {
  it.each([
    [PROCESS, 'Image: /usr/bin/chmod', exec],
    [PROCESS, "CommandLine: 'chmod u+s /tmp/my file'", exec],
    [PROCESS, 'CurrentDirectory: /tmp', exec],
    [PROCESS, 'ParentImage|endswith: /bash', exec],
    [PROCESS, "ParentCommandLine: 'bash -i'", exec],
    [PROCESS, 'User: root, LogonId: 0, ProcessId: 10, ParentProcessId: 1', exec],
    [PROCESS, `Hashes|contains: 'SHA256=${'AB'.repeat(32)}'`, exec],
    [PROCESS, "process.args: 'u+s'", exec],
    ['{category: process_creation}', 'Image|endswith: chmod', exec],
    [AUDITD, 'type: EXECVE, a0: chmod, a1: u+s, argc: 3', exec],
    [AUDITD, 'type: SYSCALL, SYSCALL: execve, comm: chmod, exe: /usr/bin/chmod, euid: 33', exec],
    [AUDITD, 'type: PATH, name: /usr/bin/chmod, nametype: NORMAL', exec],
    [AUDITD, 'type: PATH, name: /etc/x, nametype: CREATE', file('create', '/etc/x')],
    [AUDITD, 'type: PATH, name: /etc/old, nametype: DELETE', file('rename', '/etc/new', '/etc/old')],
    [AUDITD, 'type: SYSCALL, SYSCALL: renameat2', file('rename', '/etc/new', '/etc/old')],
    [
      '{product: linux, category: file_event}',
      "TargetFilename|startswith: '/etc/'",
      file('create', '/etc/x'),
    ],
    [
      '{product: linux, category: file_event}',
      'TargetFilename: /etc/new, SourceFilename: /etc/old',
      file('rename', '/etc/new', '/etc/old'),
    ],
    ['{product: linux, category: file_delete}', 'TargetFilename: /etc/x', file('unlink', '/etc/x')],
    ['{product: linux, category: file_access}', 'TargetFilename: /etc/shadow', file('open', '/etc/shadow')],
    [
      '{product: linux, category: network_connection}',
      "Initiated: 'true', DestinationPort: 4444, Image: /bin/x, User: ann",
      connect,
    ],
    ['{product: linux, category: network_connection}', "DestinationIp|cidr: '203.0.113.0/24'", connect],
    [
      '{product: linux, category: dns_query}',
      "QueryName|endswith: '.example.com'",
      event({ type: 'dns', action: 'query', dns: { query: 'a.example.com' }, process: exec.process }),
    ],
  ])('%s %s', (logsource, test, one) => {
    expect(hits(logsource, test, one)).toBe(true);
  });

  it.each([
    [PROCESS, 'OriginalFileName|exists: true', exec],
    [PROCESS, "Image: '*'", file('create', '/x')],
    ['{product: windows, category: process_creation}', 'Image|endswith: chmod', exec],
    ['{product: linux, category: file_event}', 'TargetFilename: /etc/shadow', file('open', '/etc/shadow')],
    [AUDITD, 'type: EXECVE, a3: x', exec],
  ])('not: %s %s', (logsource, test, one) => {
    expect(hits(logsource, test, one)).toBe(false);
  });

  it('searches keywords in the command line as a whole', () => {
    const set = load(AUDITD, "  s: {type: EXECVE}\n  k: ['u+s /tmp']\n  condition: s and k");
    expect(new Detector(set).evaluate(exec)).toHaveLength(1);
  });
});

describe('detections', () => {
  it('say which clause matched which value', () => {
    const detection =
      "  img: {Image|endswith: ['/chown', '/chmod']}\n  arg: {CommandLine|contains|all: [' u+s', TMP]}\n  no: {User: ann}\n  condition: img and arg and not no";
    const detector = new Detector(load(PROCESS, detection));
    expect(detector.evaluate(exec)).toEqual([
      {
        ruleId: 'r',
        title: 'T',
        level: 'high',
        attack: ['T1059.004'],
        source: 'bundled',
        clauses: [
          { selection: 'img', field: 'Image|endswith', pattern: '/chmod', value: '/usr/bin/chmod' },
          {
            selection: 'arg',
            field: 'CommandLine|contains|all',
            pattern: ' u+s',
            value: 'chmod u+s /tmp/my file',
          },
          {
            selection: 'arg',
            field: 'CommandLine|contains|all',
            pattern: 'TMP',
            value: 'chmod u+s /tmp/my file',
          },
        ],
      },
    ]);
    expect(detector.hits.get('r')).toBe(1);
    expect(detector.evaluate(connect)).toBeUndefined();
  });

  it('come once per rule, and from every rule that matches', () => {
    const set = loadRules([
      {
        path: 'a.yml',
        text: "title: a\nid: a\nlogsource: {product: linux}\ndetection: {s: ['chmod'], condition: s}",
        source: 'x',
      },
      {
        path: 'b.yml',
        text: 'title: b\nid: b\nlogsource: {product: linux}\ndetection: {s: {Image|endswith: chmod}, condition: s}',
        source: 'x',
      },
    ]);
    expect(new Detector(set).evaluate(exec)?.map((detection) => detection.ruleId)).toEqual(['a', 'b']);
  });

  it('correlate events by their own time', () => {
    const text = `title: b\nid: base\nname: base\nlogsource: ${PROCESS}\ndetection: {s: {Image|endswith: chmod}, condition: s}\n---\ntitle: c\nid: c\nlevel: critical\ncorrelation: {type: event_count, rules: [base], group-by: [User], timespan: 10s, condition: {gte: 2}}\n`;
    const set = loadRules([{ path: 'c.yml', text, source: 'x' }]);
    expect(set.failed).toEqual([]);
    const detector = new Detector(set);
    const at = (second: bigint): SentinelEvent => ({ ...exec, tsNs: second * 1_000_000_000n });
    expect(detector.evaluate(at(0n))).toBeUndefined();
    expect(detector.evaluate(at(20n))).toBeUndefined();
    expect(detector.evaluate(at(25n))?.[0]).toMatchObject({
      ruleId: 'c',
      level: 'critical',
      clauses: [
        { selection: 'event_count', pattern: 'gte 2', value: '2' },
        { selection: 'group-by', field: 'User', value: 'root' },
      ],
    });
  });
});

describe('rules that cannot run here', () => {
  it.each([
    ['{product: linux, service: sshd}', 's: {F: x}', /needs the log source linux\/sshd/],
    ['{product: windows, category: registry_set}', 's: {F: x}', /needs the log source windows\/registry_set/],
    [PROCESS, 's: {OriginalFileName: x}', /needs OriginalFileName, which no event/],
    [AUDITD, 's: {type: SERVICE_STOP}', /needs type: SERVICE_STOP/],
  ])('%s %s', (logsource, selection, reason) => {
    const set = load(logsource, `  ${selection}\n  condition: s`);
    expect(set.notRunnable).toHaveLength(1);
    expect(set.notRunnable[0]?.reason).toMatch(reason);
  });

  it('are only those that need the missing part', () => {
    const set = load(PROCESS, '  a: {OriginalFileName: x}\n  b: {Image: y}\n  condition: a or b');
    expect(set.notRunnable).toEqual([]);
  });
});

it('explains a near miss: which test was false, and what the event had', () => {
  const set = load(
    PROCESS,
    "  img: {Image|endswith: /chmod}\n  arg: {CommandLine|contains: ['777', '666']}\n  root: {User: root}\n  condition: img and arg and not root",
  );
  const explanation = explainRule(set.rules[0] as LoadedRule, exec);
  expect(explanation?.matched).toBe(false);
  expect(explanation?.clauses.map((clause) => clause.selection)).toEqual(['img']);
  expect(explanation?.misses).toEqual([
    {
      selection: 'arg',
      field: 'CommandLine|contains',
      patterns: ['777', '666'],
      value: 'chmod u+s /tmp/my file',
      excluded: false,
    },
    { selection: 'root', field: 'User', patterns: ['root'], value: 'root', excluded: true },
  ]);
  expect(explainRule(set.rules[0] as LoadedRule, connect)).toBeUndefined();
});
