import type { Plugin } from 'rolldown';

/** Imports `.wgsl` and `.cu` files as strings; works in rolldown, vite and vitest. */
export function shaderText(options?: { compact?: boolean }): Plugin & { enforce: 'pre' };
