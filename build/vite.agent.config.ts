import { defineConfig } from 'vite';

// One file per program, every npm dependency inside, so that an installed agent needs no node_modules.
export default defineConfig({
  publicDir: false,
  ssr: { noExternal: true, target: 'node' },
  build: {
    ssr: true,
    target: 'node24',
    outDir: 'out/agent',
    emptyOutDir: true,
    minify: false,
    sourcemap: false,
    rollupOptions: {
      input: {
        sentinel: 'agent/main.ts',
        'timeline-worker': 'agent/timeline-worker.ts',
        'command-worker': 'agent/command-worker.ts',
        'agent-host': 'electron/agent-host.ts',
        'dlp-extract': 'agent/dlp/extract/child.ts',
      },
      output: { entryFileNames: '[name].mjs', chunkFileNames: '[name]-[hash].mjs', format: 'es' },
    },
  },
});
