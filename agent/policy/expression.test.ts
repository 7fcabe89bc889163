import { describe, expect, it } from 'vitest';
import type { SentinelEvent } from '../event.ts';
import { normalCidr } from './addresses.ts';
import { canHold } from './applicable.ts';
import { clausesOf } from './clauses.ts';
import { ExpressionError, expressionCompiler } from './expression.ts';
import { fieldNames, readField } from './fields.ts';

const compile = expressionCompiler((pattern) => new RegExp(pattern, 'u'));

const EXEC: SentinelEvent = {
  eventId: 2,
  type: 'process',
  action: 'exec',
  lane: 'security',
  tsNs: 1n,
  severity: 'info',
  process: {
    pid: 40,
    startNs: 1n,
    ppid: 7,
    name: 'sh',
    executable: '/tmp/sh',
    argv: ['sh', '-c', 'id'],
    uid: 0,
    euid: 0,
  },
  parent: { pid: 7, startNs: 1n, name: 'nginx', executable: '/usr/sbin/nginx' },
  detections: [
    { ruleId: 'r1', title: 'T', level: 'high', attack: ['T1059.004'], clauses: [], source: 'bundled' },
  ],
};
const CONNECT: SentinelEvent = {
  ...EXEC,
  type: 'network',
  action: 'connect',
  detections: undefined,
  network: { protocol: 'tcp', dstIp: '::ffff:10.1.2.3', dstPort: 443, direction: 'outbound' },
};

function mistake(text: string): ExpressionError {
  try {
    compile(text);
  } catch (error) {
    if (error instanceof ExpressionError) return error;
    throw error;
  }
  throw new Error(`${text} compiled`);
}

describe('conditions', () => {
  it.each([
    ['process.executable.startsWith("/tmp/")', true],
    ['Image == "/tmp/sh" && ParentImage.endsWith("/nginx")', true],
    ['process.pid == 40 && process.parent.pid == 7', true],
    ['user.name == "root" && user.effective_id == 0', true],
    ['process.args.exists(a, a.matches("^-c$"))', true],
    ['"T1059.004" in detection.techniques && "high" in detection.levels', true],
    ['detections.exists(d, d.id == "r1" && "T1059.004" in d.techniques)', true],
    ['has(process.hash.sha256) || process.name == "sh"', true],
    ['has(file.path)', false],
    ['process.name in ["bash", "sh"] ? process.pid > 39 : false', true],
  ])('%s', (text, expected) => {
    expect(compile(text).test(EXEC)).toBe(expected);
  });

  it('has no answer where the event lacks the field, also under a negation', () => {
    expect(compile('destination.port != 443').test(EXEC)).toBeTypeOf('string');
    expect(compile('!(file.path in ["/etc/passwd"])').test(EXEC)).toBeTypeOf('string');
    expect(compile('destination.port != 443 || process.name == "sh"').test(EXEC)).toBe(true);
  });

  it('looks into networks, with IPv4 in IPv6', () => {
    expect(compile('destination.ip.inCidr("10.0.0.0/8")').test(CONNECT)).toBe(true);
    expect(compile('DestinationIp.inCidr(["192.168.0.0/16", "::/0"])').test(CONNECT)).toBe(false);
    expect(normalCidr('10.9.8.7/8')).toBe('10.0.0.0/8');
    expect(normalCidr('::ffff:10.9.8.7/104')).toBe('10.0.0.0/8');
    expect(normalCidr('10.0.0.0/33')).toBeUndefined();
    expect(normalCidr('10.0.0/8')).toBeUndefined();
  });

  it.each([
    ['process.exe == "x"', 0, 'there is no field process.exe', 'process.executable'],
    ['true && proces.name == "x"', 8, 'there is no field proces.name', 'process.name'],
    ['process.pid == "1"', 0, 'overload', 'one type'],
    ['process.name = "x"', 13, 'Unexpected', 'operators'],
    ['process.name', 0, 'of type string, not bool', 'compare'],
    ['process.name.matches("(")', 21, 'not a regular expression', 'brackets'],
    ['process.name.matches(process.executable)', 21, 'in quotes', 'write it out'],
    ['destination.ip.inCidr("10.0/8")', 22, 'not a network', '10.0.0.0/8'],
    ['process.name == "x" &&', 22, 'EOF', 'missing'],
  ])('refuses %s with its place and a remedy', (text, offset, message, remedy) => {
    const error = mistake(text);
    expect(error.offset).toBe(offset);
    expect(error.message).toContain(message);
    expect(error.remedy).toContain(remedy);
  });

  it('knows a field for every name it offers', () => {
    for (const name of fieldNames())
      expect(compile(`has(process.pid) || dyn(${name}) == 1`).root, name).toBeDefined();
    expect(readField(EXEC, 'CommandLine')).toBe('sh -c id');
  });
});

describe('bounds', () => {
  it.each([
    ['loops within loops', 'process.args.all(a, process.args.all(b, a == b))'],
    ['texts that double', `process.args${'.map(a, a + a)'.repeat(12)}.size() > 0`],
    [
      'lists that double',
      'cel.bind(a, [1,1], cel.bind(b, a+a+a+a+a+a+a+a, cel.bind(c, b+b+b+b+b+b+b+b+b+b+b+b+b+b+b+b, c.all(x, c.all(y, x == y)))))',
    ],
    ['long texts', `process.name == "${'x'.repeat(9000)}"`],
    ['deep nesting', `${'('.repeat(500)}true${')'.repeat(500)}`],
    ['many parts', Array.from({ length: 400 }, (_, i) => `process.pid == ${i}`).join(' || ')],
  ])('refuses %s before it runs', (_name, text) => {
    expect(mistake(text).remedy).not.toBe('');
  });

  it('stays below the steps it foretells on the longest arguments a record can hold', () => {
    const argv = Array.from({ length: 2048 }, () => 'a');
    const condition = compile('process.args.exists(a, a.startsWith("b") || a.contains("c"))');
    expect(condition.test({ ...EXEC, process: { ...EXEC.process!, argv } })).toBe(false);
    expect(condition.steps).toBeGreaterThan(2048 * 2);
  });
});

describe('which events a condition can hold for', () => {
  it.each([
    ['event.action == "exec" && process.name == "sh"', 'process/exec'],
    ['event.type == "network" && process.name == "sh"', 'network/connect network/listen'],
    ['destination.port == 443', 'network/connect network/listen dns/query'],
    ['!(file.path == "/x")', 'file/open'],
    [
      'dns.question.name.endsWith(".x") || event.action in ["exec", "open"]',
      'process/exec file/open dns/query',
    ],
    ['process.name == "sh"', 'process/exec process/exit file/open network/connect network/listen dns/query'],
    ['file.path == "/x" && destination.port == 1', ''],
    ['has(file.path) ? file.path == "/x" : event.action == "exit"', 'process/exit file/open'],
  ])('%s', (text, expected) => {
    const kinds = [
      'process/exec',
      'process/exit',
      'file/open',
      'network/connect',
      'network/listen',
      'dns/query',
    ];
    const { root } = compile(text);
    const held = kinds.filter((kind) => canHold(root, ...(kind.split('/') as [string, string])));
    expect(held.join(' ')).toBe(expected);
  });
});

describe('clauses', () => {
  it('say what each part saw, and which alone kept the condition from holding', () => {
    const condition = compile(
      'event.action == "exec" && (process.name == "nc" || process.pid == 41) && user.id == 0',
    );
    const { clauses, nearMisses } = clausesOf(condition, compile).explain(EXEC, true);
    expect(clauses.map(({ text, result }) => [text, result])).toEqual([
      ['event.action == "exec"', 'true'],
      ['process.name == "nc"', 'false'],
      ['process.pid == 41', 'false'],
      ['user.id == 0', 'true'],
    ]);
    expect(clauses[1]?.value).toBe('process.name = "sh"');
    expect(nearMisses.map(({ text }) => text)).toEqual(['process.name == "nc"', 'process.pid == 41']);
  });

  it.each([
    ['!(process.name in ["bash"]) && user.id == 0', ['!(process.name in ["bash"])', 'user.id == 0']],
    ['(process.name == "(") || (user.id == 0)', ['process.name == "("', 'user.id == 0']],
    [
      '!((process.pid + 1) * 2 == 4) && !(!(user.id == 1))',
      ['!((process.pid + 1) * 2 == 4)', '!(!(user.id == 1))'],
    ],
    [
      'process.args.exists(a, (a == "x") || a == ")") && true',
      ['process.args.exists(a, (a == "x") || a == ")")', 'true'],
    ],
  ])('are whole parts of %s, each with an answer', (text, parts) => {
    const { clauses } = clausesOf(compile(text), compile).explain(EXEC, true);
    expect(clauses.map((clause) => clause.text)).toEqual(parts);
    for (const { result } of clauses) expect(['true', 'false']).toContain(result);
  });

  it('write out what would act on a terminal', () => {
    const event = { ...EXEC, process: { ...EXEC.process!, name: 'a\u001b[2J\u202eb' } };
    const condition = compile('process.name == "x"');
    expect(clausesOf(condition, compile).explain(event, false).clauses[0]?.value).toBe(
      'process.name = "a\\u001b[2J\\u202eb"',
    );
  });
});
