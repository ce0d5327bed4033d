import { stat } from 'node:fs/promises';
import { OptionError } from '@xlstm/device';
import { DataError, fileFailure } from '../data/data-error.ts';
import { type DataFile, findDataFiles } from '../data/file-matching.ts';

/** Which text a command reads, and how it falls into documents. */
export interface TextFilesOptions {
  /** Files, folders or globs of `.txt`, `.md` and `.jsonl`. */
  readonly text: readonly string[];
  /** What relative paths start from (default: the working directory). */
  readonly baseDir?: string | undefined;
  /** A line holding only this divides a text file into documents (default `<|endoftext|>`). */
  readonly documentSeparator?: string | undefined;
  /** The field of a JSON line that holds the text (default `text`). */
  readonly textField?: string | undefined;
}

export const DOCUMENT_SEPARATOR = '<|endoftext|>';

/** Text files in the order of the paths that name them, each once, with their size together. */
export interface TextFiles {
  readonly files: readonly DataFile[];
  readonly bytes: number;
}

/**
 * Finds the text files; `.bin` files in a folder or glob are passed over.
 *
 * @throws OptionError when there are no paths; DataError when nothing is found at one of them, or only ids.
 */
export async function findTextFiles(operation: string, options: TextFilesOptions): Promise<TextFiles> {
  const { text, baseDir = process.cwd() } = options;
  if (text.length === 0) {
    throw new OptionError(`${operation}: expected at least one file, folder or glob of text, got none; give --text`);
  }
  const files = new Map<string, DataFile>();
  for (const path of text) {
    const found = (await findDataFiles(path, baseDir)).filter((file) => file.kind !== 'tokens');
    if (found.length === 0) {
      throw new DataError(
        `${operation}: expected text (.txt .md .jsonl) at "${path}", got only .bin files, which hold ids already`,
        { file: path },
      );
    }
    for (const file of found) files.set(file.path, file);
  }
  let bytes = 0;
  for (const path of files.keys()) {
    const facts = await stat(path).catch((error) => {
      throw fileFailure('cannot read', path, error);
    });
    bytes += facts.size;
  }
  return { files: [...files.values()], bytes };
}
