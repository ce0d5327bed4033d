import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const groups = ['packages', 'apps', 'tooling'] as const;
export type Group = (typeof groups)[number];

export type DependencyField = 'dependencies' | 'optionalDependencies' | 'peerDependencies' | 'devDependencies';
export const dependencyFields: readonly DependencyField[] = [
  'dependencies',
  'optionalDependencies',
  'peerDependencies',
  'devDependencies',
];

export interface Manifest extends Partial<Record<DependencyField, Record<string, string>>> {
  readonly name?: string;
  readonly exports?: unknown;
}

export interface WorkspacePackage {
  readonly group: Group;
  /** Such as `packages/device`. */
  readonly folder: string;
  /** The name that the folder asks for, such as `@xlstm/device`. */
  readonly expectedName: string;
  /** undefined for a folder of scripts without a package.json. */
  readonly manifest: Manifest | undefined;
  /** The text of package.json, for line numbers. */
  readonly manifestText: string;
  /** Source files below src/, relative to the repository, with forward slashes. */
  readonly files: readonly string[];
}

export interface Workspace {
  readonly root: string;
  readonly packages: readonly WorkspacePackage[];
  /** Development dependencies of the root: every test, and tooling, which is never published, may use them. */
  readonly rootDependencies: ReadonlySet<string>;
}

/** Reads every package's manifest and file list. Throws if `root` holds none of packages/, apps/ and tooling/. */
export function readWorkspace(root: string): Workspace {
  const packages: WorkspacePackage[] = [];
  for (const group of groups) {
    for (const name of subfolders(join(root, group))) {
      const folder = `${group}/${name}`;
      const path = join(root, folder, 'package.json');
      const manifestText = existsSync(path) ? readFileSync(path, 'utf8') : '';
      const manifest = manifestText === '' ? undefined : (JSON.parse(manifestText) as Manifest);
      const files = sourceFiles(root, `${folder}/src`);
      if (manifest === undefined && files.length === 0) continue;
      packages.push({ group, folder, expectedName: nameOf(group, name), manifest, manifestText, files });
    }
  }
  if (packages.length === 0) {
    throw new Error(
      `layer check: expected packages/, apps/ or tooling/ in ${root}, found none; run it in the repository`,
    );
  }
  const rootManifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
  return { root, packages, rootDependencies: new Set(Object.keys(rootManifest.devDependencies ?? {})) };
}

/** The façade is plain `xlstm`; everything else carries its scope. */
function nameOf(group: Group, name: string): string {
  if (group === 'tooling') return `@xlstm-tooling/${name}`;
  return group === 'packages' && name === 'xlstm' ? 'xlstm' : `@xlstm/${name}`;
}

function subfolders(path: string): string[] {
  if (!existsSync(path)) return [];
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}

function sourceFiles(root: string, folder: string): string[] {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { withFileTypes: true })
    .flatMap((entry) => {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) return sourceFiles(root, path);
      return entry.isFile() && /\.(ts|mts|tsx|js|mjs)$/.test(entry.name) ? [path] : [];
    })
    .sort();
}
