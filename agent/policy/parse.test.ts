import { describe, expect, it } from 'vitest';
import { expressionCompiler } from './expression.ts';
import { unknownDlpNames } from './dlp-names.ts';
import { parsePolicies } from './parse.ts';
import { problemText } from './problem.ts';
import { reduce } from './reduce.ts';
import type { Action } from './types.ts';

const compile = expressionCompiler((pattern) => new RegExp(pattern, 'u'));
const read = (text: string) => parsePolicies('p.yml', text, compile);

const VALID = `id: tmp-exec
version: 3
severity: low
when: event.action == "exec" && process.executable.startsWith("/tmp/")
action: deny_exec
`;

/** Where a text stands, as the problem should say it: independent of how the reader finds places. */
function placeOf(text: string, part: string): string {
  const before = text.slice(0, text.indexOf(part));
  const lines = before.split('\n');
  return `p.yml:${lines.length}:${(lines.at(-1) ?? '').length + 1}:`;
}

describe('policy files', () => {
  it('give policies with their defaults', () => {
    const { policies, problems } = read(VALID);
    expect(problems).toEqual([]);
    expect(policies[0]?.policy).toMatchObject({
      id: 'tmp-exec',
      version: 3,
      title: 'tmp-exec',
      canaryPercent: 10,
      failMode: 'open',
      exceptions: [],
      scope: { devices: [], users: [], containers: [] },
    });
  });

  it('hash the text, not its line ends', () => {
    const hashOf = (text: string): string | undefined => read(text).policies[0]?.policy.hash;
    expect(hashOf(VALID.replaceAll('\n', '\r\n'))).toBe(hashOf(VALID));
    expect(hashOf(`---\n${VALID}\n\n`)).toBe(hashOf(VALID));
    expect(hashOf(VALID.replace('/tmp/', '/tmp/x/'))).not.toBe(hashOf(VALID));
  });

  it('say that a state in the text has no effect', () => {
    const { policies, warnings } = read(`${VALID}state: active\n`);
    expect(policies).toHaveLength(1);
    expect(warnings.map(problemText).join()).toContain('p.yml:6:1: state in the text has no effect');
  });

  it('warns of a promise that the kernel does not keep, and wants containers named that are to be frozen', () => {
    const guarded = (failMode: string): string =>
      `id: a\nversion: 1\nseverity: low\nwhen: file.path == "/x/y"\naction: deny_open\nfailMode: ${failMode}\n`;
    expect(read(guarded('open')).warnings).toEqual([]);
    const { policies, warnings } = read(guarded('closed'));
    expect(policies).toHaveLength(1);
    expect(warnings.map(problemText).join()).toContain(
      'p.yml:6:1: an agent that is killed lets everybody open',
    );
    const frozen = 'id: a\nversion: 1\nseverity: low\nwhen: process.name == "x"\naction: freeze\n';
    expect(read(frozen).problems[0]?.message).toContain('freeze needs containers');
    expect(read(`${frozen}scope: {containers: ["ab12"]}\n`).policies).toHaveLength(1);
  });

  it('reads for how long readers are cut off and what stays open to them', () => {
    const cuts = (more: string): string =>
      `id: a\nversion: 1\nseverity: low\nwhen: dlp.verdict == "match"\naction: cut_network\n${more}`;
    expect(read(cuts('')).policies[0]?.policy.cut).toEqual({ minutes: 60, except: [] });
    const { policies } = read(cuts('cut: {minutes: 5, except: [127.0.0.0/8, "::1"]}\n'));
    expect(policies[0]?.policy.cut).toEqual({ minutes: 5, except: ['127.0.0.0/8', '0:0:0:0:0:0:0:1/128'] });
    expect(read(cuts('cut: {except: [nowhere]}\n')).problems.map(problemText).join()).toContain(
      'p.yml:6:15: except: nowhere is not a network',
    );
    expect(read(cuts('cut: {minutes: 0}\n')).problems[0]?.message).toContain('whole number from 1 to');
    expect(read(`${VALID}cut: {minutes: 5}\n`).problems[0]?.message).toContain(
      'belongs to action: cut_network',
    );
  });

  it('warns of names of indexes and rules that nothing in force has', () => {
    const when = (condition: string): string =>
      `id: a\nversion: 1\nseverity: low\nwhen: '${condition}'\naction: alert\n`;
    const names = { indexes: ['customers', 'pii'], rules: ['iban', 'cards'] };
    const warned = (condition: string): string =>
      parsePolicies('p.yml', when(condition), compile)
        .policies.flatMap((loaded) => unknownDlpNames(loaded, names))
        .map(problemText)
        .join();
    expect(warned('"customers" in dlp.index && "cards" in dlp.rule')).toBe('');
    expect(warned('"costumers" in dlp.index')).toMatch(
      /p\.yml:4:8: when: no index in force is called "costumers".*; did you mean customers\? in force: customers, pii$/,
    );
    expect(warned('dlp.rule.exists(r, r == "cards" || r == "ssn")')).toContain(
      'rule or column in force is called "ssn"',
    );
    expect(warned('dlp.rule.exists(r, r in ["iban", "nhs"])')).toContain('"nhs"');
    const except = `exceptions: [{when: '"costumers" in dlp.index', owner: a, expires: 2027-01-31}]\n`;
    const [loaded] = read(when('"customers" in dlp.index') + except).policies;
    expect(unknownDlpNames(loaded!, names).map(problemText).join()).toMatch(/^p\.yml:6:22: when: no index/);
  });

  const BAD: [name: string, part: string, text: string, message: string][] = [
    ['an unknown field', 'colour', `${VALID}colour: red\n`, 'no field "colour"'],
    ['an unknown action', 'explode', VALID.replace('deny_exec', 'explode'), '"explode" is not known'],
    ['a misspelt severity', 'hihg', VALID.replace('low', 'hihg'), '"hihg" is not known'],
    ['a version that is a text', '"3"', VALID.replace('3', '"3"'), 'whole number'],
    ['a wrong id', 'Tmp Exec', VALID.replace('tmp-exec', 'Tmp Exec'), 'is not an id'],
    ['a percentage above 100', '101', `${VALID}canaryPercent: 101\n`, 'from 1 to 100'],
    [
      'an unknown variable',
      'procss',
      VALID.replace('process.', 'procss.'),
      'did you mean process.executable?',
    ],
    [
      'an exception without owner',
      'when: user',
      `${VALID}exceptions:\n  - when: user.id == 0\n    expires: 2030-01-01\n`,
      'owner is missing',
    ],
    [
      'an exception that ends never',
      'someday',
      `${VALID}exceptions:\n  - when: user.id == 0\n    owner: me\n    expires: someday\n`,
      'not a date',
    ],
    ['a scope that is a list', '[a]', `${VALID}scope: [a]\n`, 'is not a map'],
  ];
  it.each(BAD)('name the place of %s', (_name, part, text, message) => {
    const { policies, problems } = read(text);
    expect(policies).toEqual([]);
    expect(problems.map(problemText).join('\n')).toContain(message);
    expect(problems.map(problemText).join('\n')).toContain(placeOf(text, part));
    for (const problem of problems) expect(problem.remedy).not.toBe('');
  });

  it.each([
    ['folded', 'when: >-\n  event.action == "exec" &&\n  nope.x == "y"\n'],
    ['literal', 'when: |\n  event.action == "exec" &&\n    nope.x == "y"\n'],
    ['double-quoted', 'when: "event.action == \\"exec\\" && nope.x == \\"y\\""\n'],
    ['single-quoted', 'when: \'event.action == "it\'\'s" && nope.x == "y"\'\n'],
    ['plain over two lines', 'when: event.action == "exec"\n  && nope.x == "y"\n'],
  ])('find a mistake inside a %s condition', (_style, when) => {
    const text = VALID.replace(/when: .*\n/, when);
    expect(read(text).problems.map(problemText).join()).toContain(placeOf(text, 'nope.x'));
  });

  it('keep the valid documents of a file with a bad one', () => {
    const { policies, problems } = read(`${VALID}---\nid: [x\n---\n${VALID.replace('tmp-exec', 'other')}`);
    expect(policies.map(({ policy }) => policy.id)).toContain('tmp-exec');
    expect(problems.length).toBeGreaterThan(0);
  });

  it.each([
    ['10 MB', 'a'.repeat(10_000_000)],
    ['nothing', ''],
    ['binary', '\u0000\u0001\u0002'],
    ['a deep list', '['.repeat(100_000)],
    [
      'aliases that multiply',
      `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b]\n`,
    ],
    ['a number', '42\n'],
  ])('refuse %s with a reason', (_name, text) => {
    const { policies, problems } = read(text);
    expect(policies).toEqual([]);
    expect(problems.length).toBeGreaterThan(0);
  });
});

describe('what the kernel can decide', () => {
  const reduced = (text: string, action: Action) => {
    const { root } = compile(text);
    return reduce(root, text, action);
  };

  it('executables by path, folder and hash, in alternatives', () => {
    const text =
      'event.action == "exec" && (Image in ["/bin/a", "/bin/b"] || Image.startsWith("/tmp/") || process.hash.sha256 == "AB")';
    expect(reduced(text, 'deny_exec')).toMatchObject({
      ok: true,
      sets: {
        executables: [
          { by: 'path', value: '/bin/a' },
          { by: 'path', value: '/bin/b' },
          { by: 'directory', value: '/tmp/' },
          { by: 'sha256', value: 'ab' },
        ],
      },
    });
  });

  it('destinations by network, port and protocol', () => {
    const text =
      'event.action == "connect" && destination.ip.inCidr(["10.1.2.3/8", "fd00::/8"]) && destination.port >= 6660 && destination.port <= 6669';
    expect(reduced(text, 'deny_connect')).toMatchObject({
      ok: true,
      sets: {
        destinations: [
          { cidr: '10.0.0.0/8', ports: [{ from: 6660, to: 6669 }], protocol: 'tcp' },
          { cidr: 'fd00:0:0:0:0:0:0:0/8', ports: [{ from: 6660, to: 6669 }], protocol: 'tcp' },
        ],
      },
    });
    expect(reduced('destination.port in [23]', 'deny_connect')).toMatchObject({
      ok: true,
      sets: { destinations: [{ cidr: '0.0.0.0/0' }, { cidr: '0:0:0:0:0:0:0:0/0' }] },
    });
  });

  it('guards files by what has to be found in them', () => {
    const where = 'event.action == "open" && file.path.startsWith("/srv/share/")';
    const text = `${where} && dlp.verdict == "match" && "customers" in dlp.index && dlp.confidence >= 90`;
    expect(reduced(text, 'deny_open')).toMatchObject({
      ok: true,
      sets: {
        opens: [
          {
            by: 'directory',
            value: '/srv/share/',
            content: { indexes: ['customers'], rules: [], confidence: 90, count: 1 },
          },
        ],
      },
    });
    expect(reduced(where, 'deny_open')).not.toHaveProperty('sets.opens.0.content');
    expect(reduced(`${where} && dlp.verdict == "clean"`, 'deny_open').ok).toBe(false);
    expect(reduced(`${where} && !("customers" in dlp.index)`, 'deny_open').ok).toBe(false);
    expect(reduced('dlp.verdict == "match"', 'deny_open').ok).toBe(false);
  });

  it('cuts readers off where the folder is named, whatever is found if nothing is said of it', () => {
    const when = 'event.type == "dlp" && event.action == "read" && file.path.startsWith("/srv/")';
    const content = { indexes: [], rules: [], confidence: 0, count: 1 };
    const open = { by: 'directory', value: '/srv/', exceptExecutables: [], cuts: true };
    expect(reduced(when, 'cut_network')).toMatchObject({ ok: true, sets: { opens: [{ ...open, content }] } });
    const named = `${when} && "board" in dlp.index && !(process.executable in ["/usr/bin/rsync"])`;
    expect(reduced(named, 'cut_network')).toMatchObject({
      ok: true,
      sets: { opens: [{ ...open, exceptExecutables: ['/usr/bin/rsync'], content: { indexes: ['board'] } }] },
    });
    expect(reduced('event.action == "read" && "board" in dlp.index', 'cut_network')).toMatchObject({
      ok: false,
      reason: 'an alternative names no file.path',
    });
    expect(reduced(`${when} && user.name == "ana"`, 'cut_network')).toMatchObject({ ok: false });
  });

  it('files with the programs that may open them', () => {
    const text =
      'file.path == "/etc/shadow" && !(process.executable in ["/usr/bin/passwd"]) && Image != "/usr/sbin/sshd"';
    expect(reduced(text, 'deny_open')).toMatchObject({
      ok: true,
      sets: {
        opens: [
          { by: 'path', value: '/etc/shadow', exceptExecutables: ['/usr/bin/passwd', '/usr/sbin/sshd'] },
        ],
      },
    });
  });

  it.each([
    ['Image == "/bin/a" && user.name == "bob"', 'deny_exec', 'user.name == "bob"'],
    ['Image != "/bin/a"', 'deny_exec', 'Image != "/bin/a"'],
    ['Image == "/bin/a" && Image == "/bin/b"', 'deny_exec', '/bin/b'],
    ['event.action == "exec"', 'deny_exec', 'names no executable'],
    ['Image == "/bin/a" || process.name == "b"', 'deny_exec', 'process.name == "b"'],
    ['Image.startsWith("/tmp")', 'deny_exec', 'startsWith'],
    ['destination.ip == "10.0.0.1" && Image == "/bin/a"', 'deny_connect', '/bin/a'],
    ['!(destination.port == 443)', 'deny_connect', 'not `destination.port'],
    ['Image == "/bin/a"', 'kill', 'act of the agent'],
  ] satisfies [string, Action, string][])('leaves %s to the agent and says why', (text, action, reason) => {
    const result = reduced(text, action);
    expect(result.ok ? '' : result.reason).toContain(reason);
  });
});
