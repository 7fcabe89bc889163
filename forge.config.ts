/**
 * Packaging of the desktop app. The agent, its native addons, the console and the rules ship beside the archive as plain
 * files (addons cannot be loaded from an archive, and the agent host starts from there), so build them first with
 * `npm run build`.
 *
 * SENTINEL_ELECTRON_ZIP_DIR: folder with electron-vVERSION-PLATFORM-ARCH.zip, for machines that cannot download it.
 */
import { FuseV1Options, FuseVersion } from '@electron/fuses';
import { FusesPlugin } from '@electron-forge/plugin-fuses';
import { VitePlugin } from '@electron-forge/plugin-vite';

const zipDir = process.env['SENTINEL_ELECTRON_ZIP_DIR'];

const config = {
  outDir: 'out/forge',
  packagerConfig: {
    name: 'Sentinel',
    executableName: 'sentinel-desktop',
    appBundleId: 'dev.sentinel.desktop',
    asar: true,
    extraResource: ['out/agent', 'out/native', 'out/renderer', 'rules', 'policies'],
    ...(zipDir === undefined ? {} : { electronZipDir: zipDir }),
  },
  // Addons are built by build/native.mjs against Node-API and need no rebuild for Electron.
  rebuildConfig: { onlyModules: [] },
  plugins: [
    new VitePlugin({
      build: [
        { entry: 'electron/main.ts', config: 'build/vite.main.config.ts', target: 'main' },
        { entry: 'electron/preload.ts', config: 'build/vite.preload.config.ts', target: 'preload' },
      ],
      // Built by build/vite.renderer.config.ts, the same files that the loopback console serves.
      renderer: [],
    }),
    // Burnt into the binary: it runs this app and nothing else. The agent host is a utility process, which needs no
    // RunAsNode.
    new FusesPlugin({
      version: FuseVersion.V1,
      [FuseV1Options.RunAsNode]: false,
      [FuseV1Options.EnableCookieEncryption]: true,
      [FuseV1Options.EnableNodeOptionsEnvironmentVariable]: false,
      [FuseV1Options.EnableNodeCliInspectArguments]: false,
      [FuseV1Options.EnableEmbeddedAsarIntegrityValidation]: true,
      [FuseV1Options.OnlyLoadAppFromAsar]: true,
      [FuseV1Options.GrantFileProtocolExtraPrivileges]: false,
    }),
  ],
};

export default config;
