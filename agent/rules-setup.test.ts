import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ConfigValues } from './config-options.ts';
import { AgentRules, importedRulesDir } from './rules-setup.ts';

let data: string;
beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'sentinel-rules-'));
});
afterEach(() => rmSync(data, { recursive: true, force: true }));

const RULES = `title: Shell
id: shell-id
name: shell
logsource: {product: linux, category: process_creation}
detection: {s: {Image|endswith: /sh}, condition: s}
---
title: Many shells
id: many
level: high
correlation: {type: event_count, rules: [shell], group-by: [User], timespan: 1m, condition: {gte: 5}}
`;

it('lists correlations with their type and the rules they use', async () => {
  const folder = importedRulesDir(data);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'rules.yml'), RULES);
  const settings = { 'rules.bundled': false, 'rules.paths': [], 'rules.indicators': [] };
  const rules = await AgentRules.load(data, settings as unknown as ConfigValues);
  expect(rules.list()).toMatchObject([
    { id: 'shell-id', type: 'detection', logsource: 'linux/process_creation' },
    { id: 'many', type: 'event_count', level: 'high', uses: ['shell-id'], hits: 0 },
  ]);
  rules.close();
});
