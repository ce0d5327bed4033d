import { stat } from 'node:fs/promises';
import { extname, resolve, sep } from 'node:path';
import { fdir } from 'fdir';
import picomatch from 'picomatch';
import { DataError, fileFailure } from './data-error.ts';

/** What a file's name says about how it is read. */
export type DataFileKind = 'text' | 'jsonl' | 'tokens';

export interface DataFile {
  /** Absolute. */
  readonly path: string;
  readonly kind: DataFileKind;
}

const KINDS: ReadonlyMap<string, DataFileKind> = new Map([
  ['.txt', 'text'],
  ['.md', 'text'],
  ['.jsonl', 'jsonl'],
  ['.bin', 'tokens'],
]);
const EXTENSIONS = [...KINDS.keys()].join(' ');

/**
 * The data files that a path means: the file itself, all below a folder, or all that match a glob. Files of other kinds
 * in a folder or glob, and hidden ones, are passed over. Sorted by path, so that the order is that of any machine.
 *
 * @param path file, folder or glob, relative to `baseDir`; what exists under this very name is no glob
 * @throws DataError when nothing is there, nothing matches, or a named file is of no known kind
 * @example
 * await findDataFiles('books/*.txt', process.cwd());
 */
export async function findDataFiles(path: string, baseDir: string): Promise<DataFile[]> {
  const literal = resolve(baseDir, path);
  const facts = await stat(literal).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR' || error.code === 'EINVAL') return undefined;
    throw fileFailure('cannot look at', literal, error);
  });
  if (facts?.isFile()) {
    const kind = KINDS.get(extname(literal).toLowerCase());
    if (kind === undefined) {
      throw new DataError(`finding data: expected a file of ${EXTENSIONS}, got ${literal}; rename or convert it`, {
        file: literal,
      });
    }
    return [{ path: literal, kind }];
  }

  const found = facts ? await below(literal, '**') : await matching(path, baseDir);
  const files = found.flatMap((file): DataFile[] => {
    const kind = KINDS.get(extname(file).toLowerCase());
    return kind === undefined ? [] : [{ path: file, kind }];
  });
  if (files.length === 0) {
    const others = found.length === 0 ? 'found no file' : `found only files of other kinds, such as ${found.sort()[0]}`;
    throw new DataError(`finding data: expected files of ${EXTENSIONS} at "${path}" in ${baseDir}, ${others}`, {
      file: literal,
    });
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

async function matching(path: string, baseDir: string): Promise<string[]> {
  const pattern = sep === '\\' ? path.replaceAll('\\', '/') : path;
  const { base, glob, isGlob } = picomatch.scan(pattern);
  return isGlob ? below(resolve(baseDir, base), glob) : [];
}

async function below(folder: string, glob: string): Promise<string[]> {
  const there = await stat(folder).then(
    (facts) => facts.isDirectory(),
    () => false,
  );
  if (!there) return [];
  const isMatch = picomatch(glob);
  const paths = await new fdir()
    .withRelativePaths()
    .withErrors()
    .crawl(folder)
    .withPromise()
    .catch((error) => {
      throw fileFailure('cannot list', folder, error);
    });
  return paths.filter((path) => isMatch(path.replaceAll(sep, '/'))).map((path) => resolve(folder, path));
}
