// Where the repository is and which packages its workspace holds.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** @typedef {{ name: string, folder: string, manifest: Record<string, any> }} WorkspacePackage */

export const repositoryRoot = fileURLToPath(new URL('../../../', import.meta.url));

const GROUPS = ['packages', 'apps', 'tooling'];

/**
 * Every workspace folder with a package.json, sorted, relative to the root with forward slashes.
 * @param {string} root
 * @returns {WorkspacePackage[]}
 */
export function workspacePackages(root) {
  /** @type {WorkspacePackage[]} */
  const found = [];
  for (const group of GROUPS) {
    if (!existsSync(join(root, group))) continue;
    for (const entry of readdirSync(join(root, group)).sort()) {
      const folder = `${group}/${entry}`;
      const path = join(root, folder, 'package.json');
      if (!existsSync(path)) continue;
      const manifest = JSON.parse(readFileSync(path, 'utf8'));
      found.push({ name: manifest.name, folder, manifest });
    }
  }
  return found;
}

/**
 * The named package and all workspace packages that it needs, directly or not; every package without a name.
 * @param {WorkspacePackage[]} packages
 * @param {string | undefined} name
 * @returns {WorkspacePackage[]}
 */
export function withDependencies(packages, name) {
  if (name === undefined) return packages;
  const byName = new Map(packages.map((each) => [each.name, each]));
  const found = new Set();
  const visit = (/** @type {string} */ next) => {
    const each = byName.get(next);
    if (!each || found.has(each)) return;
    found.add(each);
    const { dependencies, devDependencies, optionalDependencies, peerDependencies } = each.manifest;
    const needed = { ...dependencies, ...devDependencies, ...optionalDependencies, ...peerDependencies };
    for (const dependency of Object.keys(needed)) visit(dependency);
  };
  visit(name);
  return [...found];
}
