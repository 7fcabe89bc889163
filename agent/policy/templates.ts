/** Beginnings of policies. Each is valid as it stands, matches nothing on a usual machine, and says what to replace. */
export interface PolicyTemplate {
  id: string;
  title: string;
  text: string;
}

function template(id: string, title: string, when: string, action: string, more = ''): PolicyTemplate {
  const text = `id: my-policy
version: 1
title: ${title}
description: Why, and what to look out for in the simulation.
severity: medium
when: >-
${when
  .split('\n')
  .map((line) => `  ${line}`)
  .join('\n')}
action: ${action}
canaryPercent: 10
${more}`;
  return { id, title, text };
}

export const TEMPLATES: readonly PolicyTemplate[] = [
  template(
    'program-by-path',
    'A program that may not run',
    'event.action == "exec" && process.executable == "/opt/example/program"',
    'deny_exec',
  ),
  template(
    'program-by-hash',
    'A file that may not run, wherever it lies',
    `event.action == "exec" &&\nprocess.hash.sha256 == "${'0'.repeat(64)}"`,
    'deny_exec',
  ),
  template(
    'destination',
    'Destinations that may not be reached',
    'event.action == "connect" && destination.ip.inCidr("192.0.2.0/24") && destination.port == 4444',
    'deny_connect',
  ),
  template(
    'file',
    'A file that only some programs may open',
    'event.type == "file" && file.path == "/etc/example/secret.key" &&\n!(process.executable in ["/usr/sbin/example"])',
    'deny_open',
  ),
  template(
    'child-of',
    'A program started by another',
    'event.action == "exec" && process.parent.name == "example-server" && process.name in ["sh", "bash"]',
    'alert',
    `exceptions:
  - when: process.command_line == "sh -c /usr/lib/example/health-check"
    owner: your name
    reason: the server checks itself
    expires: 2099-12-31
`,
  ),
  template(
    'detection',
    'What a detection rule found',
    'detections.exists(d, d.level == "critical" && d.techniques.exists(t, t == "T1059.004"))',
    'alert',
  ),
];
