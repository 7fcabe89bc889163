/** What an event says of its process, as text for other tools: a command line for a shell, a selection for a Sigma rule. */
import type { EventJson } from '../../../../agent/api/contract.ts';
import { exactJson } from './hex.ts';

/** One argument that a POSIX-like shell (bash, zsh, ksh) reads back exactly; what a terminal would obey is an escape. */
export function shellArg(arg: string): string {
  if (/^[\w@%+=:,./-]+$/.test(arg)) return arg;
  if (/^[\x20-\x7e]*$/.test(arg)) return `'${arg.replaceAll("'", String.raw`'\''`)}'`;
  const bytes = new TextEncoder().encode(arg);
  const text = Array.from(bytes, (byte) => {
    if (byte === 0x27 || byte === 0x5c) return `\\${String.fromCharCode(byte)}`;
    return byte >= 0x20 && byte < 0x7f
      ? String.fromCharCode(byte)
      : `\\x${byte.toString(16).padStart(2, '0')}`;
  });
  return `$'${text.join('')}'`;
}

export function shellCommand(argv: readonly string[]): string {
  return argv.map((arg) => shellArg(arg)).join(' ');
}

/** A value that matches only itself: wildcards and backslashes are literal, unusual characters are YAML escapes. */
function literal(value: string): string {
  return exactJson(value.replace(/[*?\\]/g, String.raw`\$&`));
}

/** A Sigma selection of this program with these arguments and this parent. */
export function sigmaSelection(event: EventJson): string {
  const { process, parent } = event;
  const lines = ['selection:'];
  const add = (field: string, value: string | undefined): void => {
    if (value !== undefined && value !== '') lines.push(`  ${field}: ${literal(value)}`);
  };
  add('Image', process?.executable);
  add('CommandLine', process?.argv?.join(' '));
  add('ParentImage', parent?.executable);
  add('User', process?.user);
  add('TargetFilename', event.file?.path);
  add('DestinationIp', event.network?.dstIp);
  return `${lines.join('\n')}\n`;
}
