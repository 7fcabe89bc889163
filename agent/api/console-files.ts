/**
 * The console's files, read once into memory when the console is first used. Requests are looked up in this list by their
 * exact path and nothing else, so no request can name a file that is not in it.
 */
import { accessSync, constants, readFileSync, readdirSync } from 'node:fs';
import { extname, join } from 'node:path';
import { SentinelError } from '../errors.ts';

export interface ConsoleFile {
  body: Buffer;
  contentType: string;
  /** True for names that carry a hash of their content. */
  immutable: boolean;
}

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.webmanifest': 'application/manifest+json',
};
const MAX_TOTAL_BYTES = 32 * 1024 * 1024;

/** Every servable file under `folder`, by URL path. `/` is index.html. Links and unknown types are left out. */
export function readConsoleFiles(folder: string): Map<string, ConsoleFile> {
  const files = new Map<string, ConsoleFile>();
  let total = 0;
  const visit = (path: string): void => {
    for (const entry of readdirSync(join(folder, path), { withFileTypes: true })) {
      const child = `${path}/${entry.name}`;
      if (entry.isDirectory()) visit(child);
      const contentType = CONTENT_TYPES[extname(entry.name)];
      if (!entry.isFile() || contentType === undefined) continue;
      const body = readFileSync(join(folder, child));
      total += body.length;
      if (total > MAX_TOTAL_BYTES) {
        throw new SentinelError(
          'console_files',
          `${folder} holds more than ${MAX_TOTAL_BYTES} bytes`,
          'rebuild the console',
        );
      }
      files.set(encodeURI(child), { body, contentType, immutable: /-[\w-]{8}\.\w+$/.test(entry.name) });
    }
  };
  try {
    visit('');
  } catch (error) {
    throw error instanceof SentinelError ? error : unreadable(folder, error);
  }
  const index = files.get('/index.html');
  if (!index) throw unreadable(folder);
  files.set('/', index);
  return files;
}

/** Fails early, before the files are needed, when the console was not built. */
export function checkConsoleFolder(folder: string): void {
  try {
    accessSync(join(folder, 'index.html'), constants.R_OK);
  } catch (error) {
    throw unreadable(folder, error);
  }
}

function unreadable(folder: string, cause?: unknown): SentinelError {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code ?? 'no index.html';
  return new SentinelError(
    'console_files',
    `the console's files cannot be read from ${folder} (${code})`,
    'build them with `npm run build`, or start with --console off',
    { cause },
  );
}
