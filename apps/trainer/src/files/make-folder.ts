import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

/**
 * Makes a folder, and those above it that are missing; one that is there is left as it is. Node's own recursive `mkdir` never
 * returns where the folder above exists and the file system answers that there is no such place, as `/proc` does.
 *
 * @throws the file system's error when the folder cannot be made.
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if (await isFolder(path)) return;
    const above = dirname(path);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || above === path || (await isFolder(above))) throw error;
    await makeFolder(above);
    await makeFolder(path);
  }
}
