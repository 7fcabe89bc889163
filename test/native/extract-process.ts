/** Reads files as the agent would and says what came of each, with the peaks of memory that /proc told. */
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { extractFd } from '../../agent/dlp/extract/extractor.ts';
import type { ExtractLimits } from '../../agent/dlp/extract/limits.ts';

const [program = '', limitsText = '{}', ...files] = process.argv.slice(2);

function statusOf(pid: string): string {
  try {
    return readFileSync(join('/proc', pid, 'status'), 'utf8');
  } catch {
    return '';
  }
}

function field(status: string, name: string): string {
  return new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? '';
}

for (const file of files) {
  let childPeakKiB = 0;
  let confined: { uid: string; noNewPrivs: string; seccomp: string; groups: string } | undefined;
  const watch = setInterval(() => {
    const pid = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ')[0];
    if (!pid) return;
    const status = statusOf(pid);
    childPeakKiB = Math.max(childPeakKiB, Number.parseInt(field(status, 'VmHWM'), 10) || 0);
    if (field(status, 'Seccomp') === '2')
      confined = {
        uid: field(status, 'Uid'),
        noNewPrivs: field(status, 'NoNewPrivs'),
        seccomp: field(status, 'Seccomp'),
        groups: field(status, 'Groups'),
      };
  }, 2);
  const fd = openSync(file, 'r');
  const found = new Set<string>();
  let bytes = 0;
  const before = process.cpuUsage();
  const outcome = await extractFd(
    fd,
    (_member, chunk) => {
      bytes += chunk.length;
      for (const [value] of chunk.toString('latin1').matchAll(/4\d{15}/g))
        if (found.size < 100_000) found.add(value);
    },
    { program, limits: JSON.parse(limitsText) as Partial<ExtractLimits> },
  );
  clearInterval(watch);
  closeSync(fd);
  const parentPeakKiB = Number.parseInt(field(statusOf('self'), 'VmHWM'), 10);
  const { user, system } = process.cpuUsage(before);
  process.stdout.write(
    `${JSON.stringify({ file, ...outcome, text: bytes, values: found.size, childPeakKiB, parentPeakKiB, confined, cpuMs: Math.round((user + system) / 1000) })}\n`,
  );
}
