/** BLAKE3 of a policy's canonical text and of event ids. Short inputs, on matches only: JavaScript is fast enough. */
import { blake3 } from '@noble/hashes/blake3.js';

/** The text without what an editor or a transfer changes: line ends, blanks at line ends, lines at its ends. */
export function canonicalText(text: string): string {
  const lines = text
    .replace(/^\ufeff/, '')
    .split(/\r\n|\r|\n/)
    .map((line) => line.replace(/[ \t]+$/, ''));
  return `${lines.join('\n').replace(/^\n+|\n+$/g, '')}\n`;
}

/** BLAKE3 in lower-case hex. */
export function hashText(text: string): string {
  return Buffer.from(blake3(Buffer.from(text, 'utf8'))).toString('hex');
}

/** 0 to 99.99, the same for an event id on every machine and in every run. */
export function sharePercent(eventId: number): number {
  const digest = blake3(Buffer.from(String(eventId), 'utf8'));
  return (Buffer.from(digest).readUInt32LE(0) % 10_000) / 100;
}
