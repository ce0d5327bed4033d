import { availableParallelism } from 'node:os';
import { shaderText } from '@xlstm-tooling/shader-text';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  plugins: [shaderText()],
  resolve: { conditions: ['@xlstm/source'] },
  ssr: { resolve: { conditions: ['@xlstm/source', 'node', 'import', 'default'] } },
  test: {
    // Setup runs before anything is installed, so it and its tests are plain JavaScript.
    include: ['{packages,apps,tooling}/*/src/**/*.test.ts', 'tooling/setup/src/**/*.test.mjs'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // Software adapters and Chromium take whole cores, and gigabytes.
    maxWorkers: Math.max(2, Math.min(4, availableParallelism())),
  },
});
