// Cheap answers to "must this be done again?": one hash for the installation, one for the build.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { workspacePackages } from './repository.mjs';

/**
 * Changes when the lockfile, the workspace file, any package.json or Node itself changes.
 * @param {string} root
 * @returns {string}
 */
export function installFingerprint(root) {
  const hash = createHash('sha256');
  hash.update(`${process.version} ${process.platform} ${process.arch}\n`);
  const manifests = workspacePackages(root).map(({ folder }) => `${folder}/package.json`);
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', 'package.json', ...manifests]) {
    const bytes = readFileSync(join(root, file));
    hash.update(`${file} ${bytes.length}\n`).update(bytes);
  }
  return hash.digest('hex');
}

// What turbo.json names as inputs of a build, as path, size and time: the contents are turbo's to hash.
const NOT_BUILT = /\.(test|bench)\.(ts|mjs)$/;
const ROOT_INPUTS = ['package.json', 'tsconfig.json', 'turbo.json', 'pnpm-lock.yaml', 'tooling/tsconfig/base.json'];

/**
 * Changes when any file that a build reads is edited, added or removed; tests and benchmarks do not count.
 * @param {string} root
 * @returns {string}
 */
export function buildFingerprint(root) {
  const hash = createHash('sha256');
  const add = (/** @type {string} */ path) => {
    const { size, mtimeMs } = statSync(join(root, path));
    hash.update(`${path} ${size} ${mtimeMs}\n`);
  };
  const walk = (/** @type {string} */ folder) => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) walk(path);
      else if (entry.isFile() && !NOT_BUILT.test(entry.name)) add(path);
    }
  };
  for (const file of ROOT_INPUTS) if (existsSync(join(root, file))) add(file);
  for (const { folder } of workspacePackages(root)) {
    add(`${folder}/package.json`);
    if (existsSync(join(root, folder, 'src'))) walk(`${folder}/src`);
  }
  return hash.digest('hex');
}

/**
 * The files in dist/ that a package's exports and bin promise.
 * @param {Record<string, any>} manifest
 * @returns {string[]}
 */
export function promisedOutputs(manifest) {
  /** @type {string[]} */
  const found = [];
  const visit = (/** @type {unknown} */ value) => {
    if (typeof value === 'string') {
      if (value.startsWith('./dist/')) found.push(value);
    } else if (value && typeof value === 'object') Object.values(value).forEach(visit);
  };
  visit(manifest.exports);
  visit(manifest.bin);
  return found;
}
