import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** Writes a small repository into a new temporary folder; `remove` deletes it. */
export function makeRepository(files: Readonly<Record<string, unknown>>): { root: string; remove: () => void } {
  const root = mkdtempSync(join(tmpdir(), 'xlstm layers '));
  const all = { 'package.json': { devDependencies: { vitest: '*' } }, ...files };
  for (const [path, content] of Object.entries(all)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), typeof content === 'string' ? content : JSON.stringify(content, null, 2));
  }
  return { root, remove: () => rmSync(root, { recursive: true, force: true }) };
}

/** A package.json with one source entry. */
export function manifest(name: string, fields: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return { name, exports: { '.': { '@xlstm/source': './src/index.ts', default: './dist/index.js' } }, ...fields };
}
