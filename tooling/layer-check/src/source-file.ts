import { readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { type Import, importsOf } from './imports.ts';
import type { Workspace, WorkspacePackage } from './workspace.ts';

/** A parsed file of a package. */
export interface SourceFile {
  /** Relative to the repository, with forward slashes. */
  readonly path: string;
  readonly owner: WorkspacePackage;
  readonly imports: readonly Import[];
}

/** Parses every source file of the workspace. Throws SyntaxError for one that does not parse. */
export function readSourceFiles(workspace: Workspace): SourceFile[] {
  return workspace.packages.flatMap((owner) =>
    owner.files.map((path) => ({
      path,
      owner,
      imports: importsOf(path, readFileSync(join(workspace.root, path), 'utf8')),
    })),
  );
}

/** Finds the file that an import leads to, within the repository; undefined for everything else. */
export function resolver(
  workspace: Workspace,
  files: readonly SourceFile[],
): (from: string, to: string) => string | undefined {
  const known = new Set(files.map(({ path }) => path));
  const entries = new Map(workspace.packages.flatMap(sourceEntries));
  return (from, specifier) => {
    const target = specifier.startsWith('.') ? posix.join(posix.dirname(from), specifier) : entries.get(specifier);
    return target !== undefined && known.has(target) ? target : undefined;
  };
}

/** Import specifier and source file of each entry, from the `@xlstm/source` condition of package.json's exports. */
function sourceEntries({ expectedName, folder, manifest }: WorkspacePackage): [string, string][] {
  const exports = manifest?.exports;
  if (typeof exports === 'string') return [[expectedName, posix.join(folder, exports)]];
  if (typeof exports !== 'object' || exports === null) return [];
  return Object.entries(exports).flatMap(([entry, target]: [string, unknown]): [string, string][] => {
    const source =
      typeof target === 'object' && target !== null && '@xlstm/source' in target && target['@xlstm/source'];
    return typeof source === 'string' ? [[posix.join(expectedName, entry), posix.join(folder, source)]] : [];
  });
}
