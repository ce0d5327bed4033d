import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PackedPackage } from './pack.ts';
import { runProgram } from './run-program.ts';

/** The registry could not be asked, so there is no project; says nothing about our packages. */
export class NoRegistryError extends Error {}

/**
 * Makes a folder the project of a stranger, who installs the tarballs with npm.
 * Optional dependencies (`webgpu`, with its large binaries) are left out, as npm does where they cannot be installed.
 *
 * @throws NoRegistryError where npm cannot reach its registry and has not kept what is needed
 */
export async function installProject(folder: string, packed: readonly PackedPackage[]): Promise<void> {
  const dependencies = Object.fromEntries(packed.map(({ name, tarball }) => [name, `file:${tarball}`]));
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'a-project', private: true, type: 'module', dependencies }),
  );
  await npmInstall(folder, ['--omit=optional']);
}

/** Runs `npm install` in a folder, from npm's cache where that has what is needed. */
export async function npmInstall(folder: string, args: readonly string[]): Promise<void> {
  const quiet = ['--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  try {
    await runProgram('npm', ['install', ...quiet, ...args], { cwd: folder });
  } catch (error) {
    const text = String(error);
    if (/ENOTFOUND|ECONNREFUSED|EAI_AGAIN|ETIMEDOUT|ENETUNREACH|ENOTCACHED/.test(text)) {
      throw new NoRegistryError(`npm cannot reach its registry: ${text}`);
    }
    throw error;
  }
}

/** The installed packages by name, with their folders. */
export function installedPackages(project: string): Map<string, string> {
  const modules = join(project, 'node_modules');
  const names = readdirSync(modules).flatMap((name) => {
    if (name.startsWith('.')) return [];
    return name.startsWith('@') ? readdirSync(join(modules, name)).map((inner) => `${name}/${inner}`) : [name];
  });
  return new Map(names.map((name) => [name, join(modules, name)]));
}

/**
 * The import map that a page without a bundler needs for what is installed: each entry that a browser can import.
 *
 * @param at where the page finds node_modules, such as `/node_modules`
 */
export function importMap(project: string, at: string): { imports: Record<string, string> } {
  const imports: Record<string, string> = {};
  for (const [name, folder] of installedPackages(project)) {
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
      exports?: unknown;
      module?: string;
    };
    // Packages from before `exports` name the form for browsers and bundlers in `module`.
    const module = manifest.module && `./${manifest.module.replace(/^\.\//, '')}`;
    for (const [subpath, file] of browserEntries(manifest.exports ?? module)) {
      imports[subpath === '.' ? name : `${name}${subpath.slice(1)}`] = `${at}/${name}/${file.slice(2)}`;
    }
  }
  return { imports };
}

function browserEntries(exports: unknown): [subpath: string, file: string][] {
  if (typeof exports === 'string') return [['.', exports]];
  if (typeof exports !== 'object' || exports === null) return [];
  const map = Object.keys(exports).some((key) => key.startsWith('.')) ? exports : { '.': exports };
  return Object.entries(map).flatMap(([subpath, target]) => {
    const file = browserTarget(target);
    return file === undefined || subpath.includes('*') || !/\.m?js$/.test(file) ? [] : [[subpath, file]];
  });
}

/** As browsers' bundlers follow conditions: the first that holds. */
function browserTarget(target: unknown): string | undefined {
  if (typeof target === 'string') return target;
  if (typeof target !== 'object' || target === null) return undefined;
  for (const [condition, inner] of Object.entries(target)) {
    if (!['browser', 'import', 'default'].includes(condition)) continue;
    const found = browserTarget(inner);
    if (found !== undefined) return found;
  }
  return undefined;
}
