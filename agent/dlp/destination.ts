/** What a place on disk means for data that arrives there. Only places named here are looked at as files are written. */
import type { MountInfo, MountTable } from './mounts.ts';

export const DESTINATIONS = [
  'removable',
  'network_share',
  'git_push',
  'archive',
  'browser_profile',
  'watched',
  'local',
] as const;
export type Destination = (typeof DESTINATIONS)[number];

/** What is looked at first when many files wait. */
export const PRIORITY: Readonly<Record<Destination, number>> = {
  removable: 0,
  network_share: 1,
  git_push: 1,
  watched: 2,
  archive: 3,
  browser_profile: 4,
  local: 5,
};

const ARCHIVE = /\.(zip|7z|rar|tar|tgz|tbz2?|txz|tzst|gz|bz2|xz|zst|lz4|cab|iso|jar)$/i;
const BROWSER =
  /\/(\.mozilla\/firefox|\.config\/(google-chrome(-beta)?|chromium|BraveSoftware|microsoft-edge|vivaldi|opera)|snap\/(firefox|chromium)\/common)\//;
/** What a browser writes for itself all the time. */
const BROWSER_NOISE =
  /\/([^/]*[Cc]ache[^/]*|GPUCache|Service Worker|Local Storage|Session Storage|IndexedDB|storage|blob_storage|datareporting|sessionstore-backups|Crash(pad|es)?[^/]*|saved-telemetry-pings)\/|(-(wal|shm|journal)|\.(ldb|log|tmp|sqlite))$/;

export interface Place {
  destination: Destination;
  /** Mount point of a medium or share; absent when only another mount namespace has it. */
  mount?: string;
  medium?: MountInfo;
  /** Facts of a place that is none on disk. */
  details?: Record<string, string>;
}

export interface DestinationOptions {
  mounts: MountTable;
  /** Folders whose files are looked at although they stay here. */
  watch: readonly string[];
  /** Sentinel's own folder: never looked at. */
  own: string;
}

/** The place of a written file; undefined when it is none that is looked at. */
export function destinationOf(
  path: string,
  device: string | undefined,
  { mounts, watch, own }: DestinationOptions,
): Place | undefined {
  if (path === own || path.startsWith(`${own}/`)) return undefined;
  const mount = mounts.find(path, device);
  if (mount !== undefined) {
    const place = { destination: mount.kind as Destination, medium: mount };
    return mount.path === '' ? place : { ...place, mount: mount.path };
  }
  for (const folder of watch)
    if (path.startsWith(folder) && (folder.endsWith('/') || path[folder.length] === '/'))
      return { destination: 'watched' };
  if (ARCHIVE.test(path)) return { destination: 'archive' };
  if (BROWSER.test(path) && !BROWSER_NOISE.test(path)) return { destination: 'browser_profile' };
  return undefined;
}
