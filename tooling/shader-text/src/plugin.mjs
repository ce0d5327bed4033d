// Imports `.wgsl` and `.cu` files as plain strings. One plugin for rolldown (the packages' build),
// vite (pages) and vitest (tests): all three understand rollup's `load` hook.
import { readFile } from 'node:fs/promises';

const SHADER = /\.(wgsl|cu)$/;

/** A shader without comments, indentation and empty lines; lines that say something stay lines. */
function compacted(/** @type {string} */ text) {
  const lines = text.split('\n').map((line) => line.replace(/\/\/.*$/, '').trim());
  return `${lines.filter((line) => line !== '').join('\n')}\n`;
}

/**
 * @param {{ compact?: boolean }} [options] `compact` for what is published: a third less to download
 * @returns {import('rolldown').Plugin & { enforce: 'pre' }}
 */
export function shaderText({ compact = false } = {}) {
  return {
    name: 'xlstm-shader-text',
    enforce: 'pre',
    load: {
      filter: { id: SHADER },
      async handler(id) {
        if (!SHADER.test(id)) return null;
        const text = await readFile(id, 'utf8');
        const kept = compact ? compacted(text) : text;
        return { code: `export default ${JSON.stringify(kept)};\n`, moduleType: 'js', map: null };
      },
    },
  };
}
