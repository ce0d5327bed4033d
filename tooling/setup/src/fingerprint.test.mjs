import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildFingerprint, installFingerprint, promisedOutputs } from './fingerprint.mjs';
import { withDependencies, workspacePackages } from './repository.mjs';

/** @type {string} */
let root;
const write = (/** @type {string} */ path, /** @type {string} */ text) => {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
};
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'xlstm setup '));
  for (const file of ['package.json', 'packages/a/package.json', 'apps/b/package.json']) {
    write(file, JSON.stringify({ name: dirname(file) }));
  }
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'packages/a/src/k/x.wgsl', 'packages/a/src/x.ts']) {
    write(file, file);
  }
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('installFingerprint', () => {
  it.each(['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json', 'apps/b/package.json'])('follows %s', (file) => {
    const before = installFingerprint(root);
    write(file, '{ "name": "changed" }');
    expect(installFingerprint(root)).not.toBe(before);
  });

  it('stays when sources change, and sees a new package', () => {
    const before = installFingerprint(root);
    write('packages/a/src/x.ts', 'changed');
    expect(installFingerprint(root)).toBe(before);
    write('packages/c/package.json', '{}');
    expect(installFingerprint(root)).not.toBe(before);
  });
});

describe('buildFingerprint', () => {
  it.each(['packages/a/src/x.ts', 'packages/a/src/k/x.wgsl', 'apps/b/package.json', 'packages/a/src/new.ts'])(
    'follows %s',
    (file) => {
      const before = buildFingerprint(root);
      write(file, '{ "a": "longer than before, which was short" }');
      expect(buildFingerprint(root)).not.toBe(before);
    },
  );

  it('sees an edit that keeps the length, by its time', () => {
    const before = buildFingerprint(root);
    const later = new Date(Date.now() + 5_000);
    utimesSync(join(root, 'packages/a/src/x.ts'), later, later);
    expect(buildFingerprint(root)).not.toBe(before);
  });

  it('stays when tests, benchmarks and built files change', () => {
    const before = buildFingerprint(root);
    write('packages/a/src/x.test.ts', 'test');
    write('packages/a/src/k/kernel.bench.ts', 'bench');
    write('packages/a/dist/x.js', 'built');
    expect(buildFingerprint(root)).toBe(before);
  });
});

describe('promisedOutputs', () => {
  it('lists what exports and bin name in dist', () => {
    const exports = { '.': { '@xlstm/source': './src/i.ts', types: './dist/i.d.ts', default: './dist/i.js' } };
    expect(promisedOutputs({ exports, bin: { x: './dist/main.js' } })).toEqual([
      './dist/i.d.ts',
      './dist/i.js',
      './dist/main.js',
    ]);
    expect(promisedOutputs({})).toEqual([]);
  });
});

describe('withDependencies', () => {
  it('follows workspace dependencies, and takes all without a name', () => {
    write('packages/c/package.json', '{ "name": "c", "dependencies": { "d": "workspace:*", "elsewhere": "1" } }');
    write('packages/d/package.json', '{ "name": "d", "devDependencies": { "c": "workspace:*" } }');
    const packages = workspacePackages(root);
    expect(withDependencies(packages, 'c').map(({ folder }) => folder)).toEqual(['packages/c', 'packages/d']);
    expect(withDependencies(packages, undefined)).toHaveLength(4);
  });
});
