import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { access, type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { StateError } from '@xlstm/device';
import { readStateHeader, type XlstmState } from '@xlstm/xlstm-large';
import type { XlstmModel } from 'xlstm';
import { InputOutputError } from './failures.ts';

/** A header with its prefix is never longer; this much tells whether a file is a saved state at all. */
const HEAD_BYTES = 4096 + 16;

/** A saved state as it lies in a file, its header checked, the model still to be asked. */
export interface SavedState {
  path: string;
  bytes: Uint8Array;
}

/**
 * Reads a saved state. What is none is refused after its first few kilobytes.
 *
 * @throws InputOutputError when the file cannot be read; StateError when it is no saved state.
 */
export async function readStateFile(path: string): Promise<SavedState> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, 'r');
    const head = new Uint8Array(HEAD_BYTES);
    const { bytesRead } = await file.read(head, 0, HEAD_BYTES, 0);
    ofFile(path, () => readStateHeader(head.subarray(0, bytesRead)));
    const { buffer, byteOffset, length } = await file.readFile();
    // A Buffer's slice() shares memory where other typed arrays copy; importState takes the latter for granted.
    return { path, bytes: new Uint8Array(buffer, byteOffset, length) };
  } catch (cause) {
    if (cause instanceof StateError) throw cause;
    throw new InputOutputError(
      `state: cannot read ${path}: ${(cause as Error).message}; check the path and its permissions`,
      { cause },
    );
  } finally {
    await file?.close();
  }
}

/** The state that a file holds. @throws StateError for another model's, cut or damaged ones. */
export function restoreState(model: XlstmModel, saved: SavedState): XlstmState {
  return ofFile(saved.path, () => model.importState(saved.bytes));
}

/** Lets an error about a state say which file it is in. */
function ofFile<Result>(path: string, work: () => Result): Result {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof StateError) throw new StateError(`${path}: ${cause.message}`, { cause });
    throw cause;
  }
}

/**
 * Looks whether a state can be saved at `path`, before the work whose result it is to hold.
 *
 * @throws InputOutputError when it cannot.
 */
export async function checkStateTarget(path: string): Promise<void> {
  try {
    const target = await targetOf(path);
    await access(dirname(target), constants.W_OK | constants.X_OK);
  } catch (cause) {
    throw cannotSave(path, cause);
  }
}

/**
 * Saves a state: to a temporary name beside `path`, onto the disk, and only then under its name. Whatever was there
 * before stays whole until that moment.
 *
 * @throws InputOutputError when it cannot be written; nothing is left behind.
 */
export async function writeStateFile(path: string, bytes: Uint8Array): Promise<void> {
  let temporary: string | undefined;
  try {
    const target = await targetOf(path);
    const name = join(dirname(target), `.${basename(target)}.${randomBytes(6).toString('hex')}.part`);
    const file = await open(name, 'wx');
    temporary = name;
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(name, target);
    temporary = undefined;
    await syncFolder(dirname(target));
  } catch (cause) {
    if (temporary !== undefined) await rm(temporary, { force: true });
    throw cannotSave(path, cause);
  }
}

/** Where a link leads; a link is kept, and what it leads to replaced. */
async function targetOf(path: string): Promise<string> {
  if (path === '') throw new Error('the name is empty');
  const target = await realpath(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return path;
    throw error;
  });
  const there = await stat(target).catch(() => undefined);
  // Renaming onto a device such as /dev/null would put a file in its place.
  if (there && !there.isFile()) throw new Error(there.isDirectory() ? 'it is a folder' : 'it is not a file');
  await stat(dirname(target));
  return target;
}

/** Makes the new name last. Not every system lets a folder be opened; the file itself is safe by then. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r').catch(() => undefined);
  await folder?.sync().catch(() => {});
  await folder?.close();
}

function cannotSave(path: string, cause: unknown): InputOutputError {
  return new InputOutputError(
    `state: cannot save to ${path}: ${(cause as Error).message}; name a file in a folder that can be written`,
    { cause },
  );
}
