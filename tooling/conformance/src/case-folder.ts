import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, join, relative, sep } from 'node:path';
import { fileSource } from '@xlstm/loaders';
import type { CaseFiles, GoldenCase } from './golden-case.ts';

/** A case on disk. */
export interface CaseFolder extends GoldenCase {
  folder: string;
}

/** Where the corpus of a case lies: in the folder that `XLSTM_CORPUS` names, else beside the golden vectors. */
export function corpusFolder(folder: string): string {
  return process.env.XLSTM_CORPUS ?? join(folder, '../../corpus');
}

/** Every file below a folder, by its path from there. */
async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort();
}

async function caseFiles(folder: string): Promise<CaseFiles> {
  return {
    names: await filesBelow(folder),
    open: (name) => fileSource(join(folder, name)),
    async corpus(name) {
      const path = join(corpusFolder(folder), name);
      return existsSync(path) ? fileSource(path) : undefined;
    },
  };
}

/** Finds every folder with a `case.json` at or below `root`, in the order of their names. */
export async function findCases(root: string): Promise<CaseFolder[]> {
  const found: CaseFolder[] = [];
  const visit = async (folder: string): Promise<void> => {
    const entries = await readdir(folder, { withFileTypes: true });
    if (entries.some((entry) => entry.name === 'case.json')) {
      const path = relative(root, folder).split(sep).join('/');
      found.push({ name: path || basename(folder), folder, files: await caseFiles(folder) });
    }
    const folders = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
    for (const name of folders.sort()) await visit(join(folder, name));
  };
  await visit(root);
  return found;
}
