import { nodeModules } from './node-modules.ts';

/**
 * Makes a folder, and those above it that are missing; one that is there is left as it is. Node's own recursive `mkdir` never
 * returns where the folder above exists and the file system answers that there is no such place, as `/proc` does.
 *
 * @throws the file system's error when the folder cannot be made
 * @example
 * await makeFolder('models/mine');
 */
export async function makeFolder(folder: string): Promise<void> {
  const { fs, path } = nodeModules('makeFolder');
  const isFolder = (name: string): Promise<boolean> =>
    fs.stat(name).then(
      (found) => found.isDirectory(),
      () => false,
    );
  try {
    await fs.mkdir(folder);
  } catch (error) {
    if (await isFolder(folder)) return;
    const above = path.dirname(folder);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || above === folder) throw error;
    await makeFolder(above);
    // Somebody else may make the same ones at the same time.
    await fs.mkdir(folder).catch(async (failure) => {
      if (!(await isFolder(folder))) throw failure;
    });
  }
}
