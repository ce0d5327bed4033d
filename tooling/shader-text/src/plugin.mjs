// Imports `.wgsl` and `.cu` files as plain strings. One plugin for rolldown (the packages' build),
// vite (pages) and vitest (tests): all three understand rollup's `load` hook.
import { readFile } from 'node:fs/promises';

const SHADER = /\.(wgsl|cu)$/;

/** @returns {import('rolldown').Plugin & { enforce: 'pre' }} */
export function shaderText() {
  return {
    name: 'xlstm-shader-text',
    enforce: 'pre',
    load: {
      filter: { id: SHADER },
      async handler(id) {
        if (!SHADER.test(id)) return null;
        const text = await readFile(id, 'utf8');
        return { code: `export default ${JSON.stringify(text)};\n`, moduleType: 'js', map: null };
      },
    },
  };
}
