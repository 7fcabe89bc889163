/** A shell that a test tells what to do, in a group that an agent watches. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { entering, type TestCgroup } from './cgroup.ts';

/** Lives as long as the test wants. */
export class Shell {
  readonly #child: ChildProcess;
  readonly #said: AsyncIterator<string>;

  constructor(cgroup: TestCgroup) {
    const script = entering(cgroup, 'exec bash 2>/dev/null');
    this.#child = spawn('/bin/sh', ['-c', script], { stdio: ['pipe', 'pipe', 'ignore'] });
    this.#said = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** The one line that commands print. */
  async ask(commands: string): Promise<string> {
    this.#child.stdin?.write(`${commands}\n`);
    return String((await this.#said.next()).value);
  }

  async end(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await gone;
  }
}
