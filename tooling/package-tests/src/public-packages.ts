import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root. From dist/ and from src/ it is the same number of folders up. */
export const repository: string = fileURLToPath(new URL('../../../', import.meta.url));

/** What is read of a package.json. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly description?: string;
  readonly keywords?: readonly string[];
  readonly license?: string;
  readonly type?: string;
  readonly private?: boolean;
  readonly sideEffects?: boolean;
  readonly engines?: Readonly<Record<string, string>>;
  readonly files?: readonly string[];
  readonly bin?: Readonly<Record<string, string>>;
  readonly exports?: Exports;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly publishConfig?: { readonly access?: string; readonly exports?: Exports };
}

/** An exports map: subpath to file, or to condition to file. */
export type Exports = Readonly<Record<string, string | Readonly<Record<string, string>>>>;

/** A package that is published. */
export interface PublicPackage {
  readonly name: string;
  /** Relative to the repository, such as `packages/device`. */
  readonly folder: string;
  readonly manifest: Manifest;
}

/** Every package that people install, sorted by folder. */
export function publicPackages(): PublicPackage[] {
  return ['packages', 'apps'].flatMap((group) =>
    readdirSync(join(repository, group))
      .sort()
      .map((name) => `${group}/${name}`)
      .filter((folder) => existsSync(join(repository, folder, 'package.json')))
      .map((folder) => ({ folder, manifest: readManifest(join(repository, folder, 'package.json')) }))
      .filter(({ manifest }) => manifest.private !== true)
      .map(({ folder, manifest }) => ({ name: manifest.name, folder, manifest })),
  );
}

/** Those of them that are libraries: a module can import something from them. */
export function publicLibraries(): PublicPackage[] {
  return publicPackages().filter(({ manifest }) => manifest.exports?.['.'] !== undefined);
}

/** Reads a package.json. */
export function readManifest(path: string): Manifest {
  return JSON.parse(readFileSync(path, 'utf8')) as Manifest;
}
