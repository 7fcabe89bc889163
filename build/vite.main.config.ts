import { builtinModules } from 'node:module';
import { defineConfig } from 'vite';

// Electron's main process: one CommonJS file, used by Forge's plugin and by `vite build` alike.
export default defineConfig({
  publicDir: false,
  resolve: { conditions: ['node'], mainFields: ['module', 'main'] },
  build: {
    outDir: '.vite/build',
    emptyOutDir: false,
    target: 'node24',
    minify: false,
    lib: { entry: 'electron/main.ts', formats: ['cjs'], fileName: () => 'main.cjs' },
    rollupOptions: { external: ['electron', /^node:/, ...builtinModules] },
  },
});
