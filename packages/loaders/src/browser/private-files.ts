/** What this package uses of the File System API; TypeScript's DOM library is not loaded, as most code runs in Node. */
export interface PrivateFile {
  getFile(): Promise<Blob>;
  createWritable(): Promise<{
    write(data: Uint8Array<ArrayBuffer> | string): Promise<void>;
    close(): Promise<void>;
    abort(): Promise<void>;
  }>;
}

export interface PrivateFolder {
  getFileHandle(name: string, options?: { create?: boolean }): Promise<PrivateFile>;
  getDirectoryHandle(name: string, options?: { create?: boolean }): Promise<PrivateFolder>;
  removeEntry(name: string, options?: { recursive?: boolean }): Promise<void>;
  keys(): AsyncIterable<string>;
}

/** What this package uses of a page's or worker's navigator. */
export interface StorageNavigator {
  readonly storage?: {
    getDirectory?(): Promise<PrivateFolder>;
    estimate?(): Promise<{ quota?: number; usage?: number }>;
  };
  readonly locks?: {
    request<T>(name: string, options: { signal?: AbortSignal }, work: () => Promise<T>): Promise<T>;
  };
}

/** The page's or worker's navigator; one without anything where there is none. */
export function browserNavigator(): StorageNavigator {
  return (globalThis as { navigator?: StorageNavigator }).navigator ?? {};
}

/** A folder below another; undefined where it is not there and not to be made. */
export async function subfolder(
  root: PrivateFolder,
  parts: readonly string[],
  create: boolean,
): Promise<PrivateFolder | undefined> {
  let folder = root;
  try {
    for (const part of parts) folder = await folder.getDirectoryHandle(part, { create });
    return folder;
  } catch (error) {
    return absent(error);
  }
}

export async function fileIn(folder: PrivateFolder | undefined, name: string): Promise<Blob | undefined> {
  try {
    return await (await folder?.getFileHandle(name))?.getFile();
  } catch (error) {
    return absent(error);
  }
}

/** Writes a file whole or not at all: the browser swaps it in when it is closed. */
export async function writeWhole(
  folder: PrivateFolder,
  name: string,
  pieces: Iterable<Uint8Array<ArrayBuffer> | string>,
): Promise<void> {
  const writable = await (await folder.getFileHandle(name, { create: true })).createWritable();
  try {
    for (const piece of pieces) await writable.write(piece);
  } catch (error) {
    await writable.abort().catch(() => {});
    throw error;
  }
  await writable.close();
}

export async function removeIn(folder: PrivateFolder | undefined, name: string): Promise<void> {
  try {
    await folder?.removeEntry(name, { recursive: true });
  } catch (error) {
    absent(error);
  }
}

export async function namesIn(folder: PrivateFolder | undefined): Promise<string[]> {
  const names: string[] = [];
  if (folder) for await (const name of folder.keys()) names.push(name);
  return names;
}

function absent(error: unknown): undefined {
  const name = error instanceof Error ? error.name : '';
  if (name === 'NotFoundError' || name === 'TypeMismatchError') return undefined;
  throw error;
}
