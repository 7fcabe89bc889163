/**
 * The console's files for the desktop app's own scheme. The page talks to the agent over a MessagePort, so its policy
 * allows no connection at all.
 */
import { readConsoleFiles, type ConsoleFile } from './api/console-files.ts';

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'none'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "form-action 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
  'cache-control': 'no-store',
};

const folders = new Map<string, Map<string, ConsoleFile>>();

/** Answers one request of the window. Only the listed files exist; the query and the fragment are ignored. */
export function consoleAnswer(folder: string, method: string, url: string): Response {
  const parsed = URL.parse(url);
  if (method !== 'GET' && method !== 'HEAD') return refusal(405, 'only GET');
  if (parsed === null || parsed.host !== 'console') return refusal(404, 'no such page');
  let files = folders.get(folder);
  if (files === undefined) {
    try {
      files = readConsoleFiles(folder);
    } catch (error) {
      return refusal(500, (error as Error).message);
    }
    folders.set(folder, files);
  }
  const file = files.get(parsed.pathname === '' ? '/' : parsed.pathname);
  if (file === undefined) return refusal(404, 'no such file');
  return new Response(method === 'HEAD' ? null : new Uint8Array(file.body), {
    headers: { ...HEADERS, 'content-type': file.contentType },
  });
}

function refusal(status: number, text: string): Response {
  return new Response(text, { status, headers: { ...HEADERS, 'content-type': 'text/plain; charset=utf-8' } });
}
