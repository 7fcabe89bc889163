/**
 * What a person might do at a shell, run for real: a download, a pipeline, a compiler, a program that lives only in
 * memory, a debugger, files written and renamed. The script writes down the pid of each step, and the facts to compare
 * an event with (sizes, inodes, hashes) are read from the files afterwards, so that nothing is taken from the agent.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

export interface WorkloadResult {
  dir: string;
  /** pid of the shell that ran everything. */
  shellPid: number;
  /** Port of the web server that curl talked to. */
  port: number;
  /** Unique word in the URL, to look for. */
  token: string;
  pid(
    step: 'curl' | 'sort' | 'head' | 'gcc' | 'hello' | 'memfd' | 'tracer' | 'tracee' | 'long' | 'odd',
  ): number;
  remove(): void;
}

const MEMFD_C = `
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
int main(int argc, char **argv, char **envp) {
  char buffer[65536];
  ssize_t n;
  int in = open(argv[1], O_RDONLY), out = memfd_create("payload", 0);
  while ((n = read(in, buffer, sizeof buffer)) > 0)
    if (write(out, buffer, n) != n) exit(3);
  char *args[] = {"innocent", "--flag", NULL};
  fexecve(out, args, envp);
  return 4;
}
`;

const TRACER_C = `
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv) {
  pid_t child = fork();
  if (child == 0) for (;;) pause();
  FILE *file = fopen(argv[1], "w");
  fprintf(file, "%d\\n", child);
  fclose(file);
  if (ptrace(PTRACE_ATTACH, child, 0, 0) != 0) return 3;
  waitpid(child, 0, 0);
  ptrace(PTRACE_DETACH, child, 0, 0);
  kill(child, SIGKILL);
  waitpid(child, 0, 0);
  return 0;
}
`;

const HELLO_C = `int main(void) { return 0; }\n`;

// Each step runs in a subshell that writes down its pid and then becomes the program.
const SCRIPT = String.raw`
set -u
cd "$DIR"
step() { local name=$1; shift; ( echo $BASHPID > "pid.$name"; exec "$@" ); }

step curl curl -s -o page.html "http://127.0.0.1:$PORT/$TOKEN"
printf 'b\na\n' | ( echo $BASHPID > pid.sort; exec sort ) | ( echo $BASHPID > pid.head; exec head -n 1 ) > pipeline.txt
step gcc gcc -o hello hello.c
step hello ./hello
gcc -o memfd memfd.c
step memfd ./memfd "$TRUE"
gcc -o tracer tracer.c
step tracer ./tracer pid.tracee

echo 'some notes' > notes.txt
mv notes.txt renamed.txt
rm pipeline.txt

# A command line of a megabyte, in arguments of 100 kB each; names with a newline, bad UTF-8, four-byte characters.
big=$(printf '%102400s' '' | tr ' ' x)
step long "$TRUE" "$big" "$big" "$big" "$big" "$big" "$big" "$big" "$big" "$big" "$big"
( echo $BASHPID > pid.odd
  : > $'line\nbreak'
  : > $'bad\xff\xfename'
  : > $'emoji\xf0\x9f\x98\x80'
  exec "$TRUE" $'two\nlines' '' $'not\xffutf8' $'\xf0\x9f\x98\x80' )
exit 0
`;

/** Path of a program as the kernel will resolve it. */
export function programPath(name: string): string {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    try {
      return realpathSync(join(folder, name));
    } catch {
      // Not in this folder.
    }
  }
  throw new Error(`${name} is not installed`);
}

export async function runWorkload(cgroupPath: string | undefined): Promise<WorkloadResult> {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'sentinel-work-')));
  const token = `token-${process.pid}-${Date.now()}`;
  writeFileSync(join(dir, 'memfd.c'), MEMFD_C);
  writeFileSync(join(dir, 'tracer.c'), TRACER_C);
  writeFileSync(join(dir, 'hello.c'), HELLO_C);
  const web = await listen();
  const { port } = web.address() as AddressInfo;
  const env = {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    DIR: dir,
    PORT: String(port),
    TOKEN: token,
    TRUE: programPath('true'),
    CGROUP: cgroupPath ?? '',
    LC_ALL: 'C',
  };
  try {
    const shellPid = await runScript(env);
    const numberIn = (name: string): number => Number(readFileSync(join(dir, `pid.${name}`), 'utf8'));
    return {
      dir,
      shellPid,
      port,
      token,
      pid: numberIn,
      remove: () => rmSync(dir, { recursive: true, force: true }),
    };
  } finally {
    web.close();
  }
}

function listen(): Promise<Server> {
  const web = createServer((_request, response) => response.end('<p>hello</p>\n'));
  return new Promise((done) => web.listen(0, '127.0.0.1', () => done(web)));
}

function runScript(env: Record<string, string>): Promise<number> {
  return new Promise((done, fail) => {
    // The shell that runs the script begins inside the cgroup, so that an agent that watches it sees it begin.
    const enter = '[ -z "$CGROUP" ] || echo $$ > "$CGROUP/cgroup.procs"; exec /bin/bash -c "$1"';
    const child = spawn('/bin/bash', ['-c', enter, 'enter', SCRIPT], {
      env,
      stdio: ['ignore', 'inherit', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    child.on('error', fail);
    child.on('close', (code) => {
      if (code === 0 && said === '') done(child.pid!);
      else fail(new Error(`the workload ended with ${code}: ${said}`));
    });
  });
}
