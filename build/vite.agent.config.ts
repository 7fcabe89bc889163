import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { build, defineConfig, type Plugin } from 'vite';

const outDir = 'out/agent';

/** What the extraction child runs: scripts, as V8 keeps what it compiled of those only, and what it compiled of them. */
function extractionReader(): Plugin {
  return {
    name: 'extraction-reader',
    async closeBundle() {
      await build({
        configFile: false,
        publicDir: false,
        logLevel: 'error',
        ssr: { noExternal: true, target: 'node' },
        build: {
          ssr: true,
          target: 'node24',
          outDir,
          emptyOutDir: false,
          minify: false,
          rollupOptions: {
            input: {
              'dlp-extract-reader': 'agent/dlp/extract/reader.ts',
              'dlp-extract-pdf': 'agent/dlp/extract/pdf.ts',
              'dlp-extract-visit': 'agent/dlp/extract/visit.ts',
            },
            output: {
              entryFileNames: '[name].cjs',
              chunkFileNames: 'dlp-extract-[name].cjs',
              format: 'cjs',
            },
          },
        },
      });
      execFileSync(process.execPath, [join(import.meta.dirname, 'reader-cache.ts'), outDir], {
        stdio: ['ignore', 2, 2],
      });
    },
  };
}

// One file per program, every npm dependency inside, so that an installed agent needs no node_modules.
export default defineConfig({
  publicDir: false,
  plugins: [extractionReader()],
  ssr: { noExternal: true, target: 'node' },
  build: {
    ssr: true,
    target: 'node24',
    outDir,
    emptyOutDir: true,
    minify: false,
    sourcemap: false,
    rollupOptions: {
      input: {
        sentinel: 'agent/main.ts',
        'timeline-worker': 'agent/timeline-worker.ts',
        'command-worker': 'agent/command-worker.ts',
        'agent-host': 'electron/agent-host.ts',
        'dlp-extract': 'agent/dlp/extract/launch.ts',
      },
      output: { entryFileNames: '[name].mjs', chunkFileNames: '[name]-[hash].mjs', format: 'es' },
    },
  },
});
