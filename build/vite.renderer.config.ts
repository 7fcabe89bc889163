import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

// Everything the console needs is in its own folder: it loads nothing from the network.
export default defineConfig({
  root: 'renderer',
  base: './',
  plugins: [react()],
  build: { outDir: '../out/renderer', emptyOutDir: true, target: 'chrome140', assetsInlineLimit: 0 },
});
