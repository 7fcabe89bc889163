import { describe, expect, it } from 'vitest';
import { loadBpf, loadCore } from './index.ts';

describe('native loader', () => {
  it('says why an addon did not load, or loads it with the right ABI', () => {
    for (const result of [loadCore(), loadBpf()]) {
      if (result.ok) expect(result.addon.abi).toBe(1);
      else expect(result.reason).toMatch(/\.node/);
    }
  });
});
