import { resolve } from 'node:path';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// Everything the console needs is in its own folder: it loads nothing from the network, and nothing inline, so that it
// runs under `default-src 'none'; script-src 'self'; style-src 'self'`.
// `--mode dev` builds renderer/dev instead: the same console over an agent made up in the page, for looking at states.
// `--mode stories` builds renderer/stories: every part by itself.
const ROOTS: Readonly<Record<string, string>> = { dev: 'renderer/dev', stories: 'renderer/stories' };

export default defineConfig(({ mode }) => ({
  root: ROOTS[mode] ?? 'renderer',
  base: './',
  plugins: [react()],
  build: {
    outDir: resolve(mode in ROOTS ? `out/renderer-${mode}` : 'out/renderer'),
    emptyOutDir: true,
    target: 'chrome140',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
}));
