/** The import table: which folder may import which. Kept apart from its test so that the test can be tested. */
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';

/** Zone of each file, by longest matching prefix; one that ends in a hyphen begins names of files. */
const ZONES: readonly (readonly [prefix: string, zone: string])[] = [
  ['agent/event.ts', 'event'],
  ['agent/event-json.ts', 'event'],
  ['agent/config.ts', 'event'],
  ['agent/config-options.ts', 'event'],
  ['agent/log.ts', 'event'],
  ['agent/errors.ts', 'event'],
  ['agent/printable.ts', 'event'],
  ['agent/dlp-summary.ts', 'event'],
  ['agent/api/contract.ts', 'contract'],
  ['agent/api/contract-', 'contract'],
  ['agent/sensors', 'sensors'],
  ['agent/enforce', 'enforce'],
  ['agent/lanes', 'lanes'],
  ['agent/wal', 'wal'],
  ['agent/detect', 'detect'],
  ['agent/policy', 'policy'],
  ['agent/policy/types.ts', 'policy-types'],
  ['agent/shield', 'shield'],
  ['agent/dlp', 'dlp'],
  ['agent/store', 'store'],
  ['agent/audit', 'audit'],
  ['agent/identity', 'identity'],
  ['agent/uplink', 'uplink'],
  ['agent/api', 'api'],
  ['agent/cli', 'agent-root'],
  ['agent/', 'agent-root'],
  ['native-addon/', 'native-addon'],
  ['proto/', 'proto'],
  ['electron/', 'electron'],
  ['renderer/', 'renderer'],
  ['fleet/ingest', 'fleet-ingest'],
  ['fleet/writer', 'fleet-writer'],
  ['fleet/control', 'fleet-control'],
  ['test/', 'test'],
  ['build/', 'build'],
];

const ANY = '*';
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  event: [],
  contract: [],
  'native-addon': [],
  proto: [],
  wal: ['event', 'native-addon'],
  sensors: ['event', 'native-addon'],
  enforce: ['event', 'native-addon', 'policy-types'],
  dlp: ['event', 'native-addon'],
  detect: ['event'],
  policy: ['event', 'policy-types'],
  'policy-types': ['event'],
  shield: ['event'],
  identity: ['event', 'proto'],
  audit: ['event', 'wal', 'identity', 'policy-types'],
  store: ['event'],
  lanes: ['event', 'wal'],
  uplink: ['event', 'wal', 'identity', 'proto'],
  api: ['event', 'contract'],
  'agent-root': [ANY],
  electron: ['agent-root', 'contract'],
  renderer: ['contract'],
  'fleet-ingest': ['proto'],
  'fleet-writer': ['proto'],
  'fleet-control': ['proto'],
  test: [ANY],
  build: [ANY],
};

/** Packages and built-ins a zone may never import, whatever the folder. */
const FORBIDDEN_MODULES: readonly (readonly [zone: RegExp, module: RegExp])[] = [
  [/^(?!electron$|test$|build$)/, /^electron$/],
  [/^(renderer|contract)$/, /^node:/],
  [/^(?!renderer$|test$|build$)/, /^(react|react-dom|zustand|uplot)(\/|$)/],
];

const IMPORT =
  /^\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]|^\s*import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/gm;

function zoneOf(path: string): string | undefined {
  let best: readonly [string, string] | undefined;
  for (const entry of ZONES) {
    const [prefix] = entry;
    const inside = path === prefix || path.startsWith(/[/-]$/.test(prefix) ? prefix : `${prefix}/`);
    if (inside && (!best || prefix.length > best[0].length)) best = entry;
  }
  return best?.[1];
}

/** Violations of the table in one file; `path` is relative to the project root, with forward slashes. */
export function violationsIn(path: string, source: string): string[] {
  const zone = zoneOf(path);
  if (!zone) return [`${path}: belongs to no zone of the import table`];
  const isTest = /\.(test|spec)\.tsx?$/.test(path);
  const found: string[] = [];
  for (const match of source.matchAll(IMPORT)) {
    const target = match[1] ?? match[2] ?? match[3] ?? '';
    if (!target.startsWith('.')) {
      // A test of the window's code runs on Node and may ask the system whether the code is right.
      if (isTest && target.startsWith('node:')) continue;
      for (const [zones, modules] of FORBIDDEN_MODULES) {
        if (zones.test(zone) && modules.test(target)) found.push(`${path}: ${zone} may not import ${target}`);
      }
      continue;
    }
    const resolved = relative('/', resolve('/', dirname(path), target))
      .split(sep)
      .join('/');
    const targetZone = zoneOf(resolved);
    if (isTest && (targetZone === 'test' || targetZone === 'event')) continue;
    // What the window says in words of its own is held against what the agent says.
    if (isTest && zone === 'renderer' && targetZone === 'agent-root') continue;
    if (targetZone === undefined || targetZone === zone) continue;
    const allowed = ALLOWED[zone] ?? [];
    if (!allowed.includes(ANY) && !allowed.includes(targetZone)) {
      found.push(`${path}: ${zone} may not import ${targetZone} (${target})`);
    }
  }
  return found;
}

/** Every TypeScript source of the project, relative to `root`. */
export function sourceFiles(root: string): string[] {
  const files: string[] = [];
  const visit = (directory: string): void => {
    for (const entry of readdirSync(join(root, directory), { withFileTypes: true })) {
      const path = `${directory}/${entry.name}`;
      if (entry.isDirectory()) {
        if (entry.name !== 'node_modules' && path !== 'native-addon/build') visit(path);
      } else if (/\.tsx?$/.test(entry.name)) files.push(path);
    }
  };
  const zones = ['agent', 'native-addon', 'proto', 'electron', 'renderer', 'fleet', 'test'];
  const present = new Set(readdirSync(root));
  for (const zone of zones) if (present.has(zone)) visit(zone);
  return files;
}

/** All violations in the project at `root`. */
export function allViolations(root: string): string[] {
  return sourceFiles(root).flatMap((path) => violationsIn(path, readFileSync(join(root, path), 'utf8')));
}
