import { FuseV1Options, FuseVersion } from '@electron/fuses';
import { describe, expect, it } from 'vitest';
import config from '../forge.config.ts';

describe('the packaged binary', () => {
  it('cannot be turned into a Node, debugged, pointed at other code or given file:// powers', () => {
    const plugin = config.plugins.find(({ name }) => name === 'fuses');
    expect(plugin).toBeDefined();
    expect((plugin as unknown as { fusesConfig: object }).fusesConfig).toEqual({
      version: FuseVersion.V1,
      [FuseV1Options.RunAsNode]: false,
      [FuseV1Options.EnableCookieEncryption]: true,
      [FuseV1Options.EnableNodeOptionsEnvironmentVariable]: false,
      [FuseV1Options.EnableNodeCliInspectArguments]: false,
      [FuseV1Options.EnableEmbeddedAsarIntegrityValidation]: true,
      [FuseV1Options.OnlyLoadAppFromAsar]: true,
      [FuseV1Options.GrantFileProtocolExtraPrivileges]: false,
    });
    expect(config.packagerConfig.asar).toBe(true);
  });
});
