import { open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { CheckpointError } from '@xlstm/device';
import { InputOutputError } from '../failures.ts';
import type { ConversionOptions } from './plan.ts';

/** In the folder of the result while it is not whole. */
export const JOURNAL_FILE = '.xlstm-convert.json';
const LOCK_FILE = '.xlstm-convert.lock';
const VERSION = 1;

/** A shard that is whole and in its place. */
export interface FinishedShard {
  file: string;
  bytes: number;
  sha256: string;
  /** The model's fingerprint as far as the end of this shard; null where it is not computed. */
  fingerprint: string | null;
}

/** What a conversion has done so far. */
export interface Journal {
  /** See `sourceIdentity`. */
  source: string;
  options: ConversionOptions;
  shards: FinishedShard[];
}

/** Writes a small file whole or not at all. */
export async function writeWhole(folder: string, name: string, contents: string | Uint8Array): Promise<void> {
  const temporary = join(folder, `${name}.partial`);
  try {
    const handle = await open(temporary, 'w');
    try {
      await handle.writeFile(contents);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, join(folder, name));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw error;
  }
}

/** @throws CheckpointError for a journal that cannot be read. */
export async function readJournal(folder: string): Promise<Journal | undefined> {
  const path = join(folder, JOURNAL_FILE);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const { version, ...journal } = JSON.parse(text) as Journal & { version: unknown };
    if (version === VERSION && Array.isArray(journal.shards) && typeof journal.source === 'string') return journal;
  } catch {
    // Said below, as for a journal that is JSON and something else.
  }
  throw new CheckpointError(
    `convert: ${path} must be a journal of version ${VERSION}, got something else; it is damaged or of another release: remove ${folder} and convert again`,
  );
}

/** Writes the journal whole or not at all. */
export async function writeJournal(folder: string, journal: Journal): Promise<void> {
  await writeWhole(folder, JOURNAL_FILE, `${JSON.stringify({ version: VERSION, ...journal }, null, 2)}\n`);
}

/** Ends the journal: the folder is a model now. */
export async function removeJournal(folder: string): Promise<void> {
  await rm(join(folder, JOURNAL_FILE), { force: true });
}

/**
 * Keeps other conversions out of a folder. A lock whose process is gone, as after a kill, is taken over.
 *
 * @throws InputOutputError while another process is at work there.
 */
export async function lockFolder(folder: string): Promise<AsyncDisposable> {
  const path = join(folder, LOCK_FILE);
  const own = JSON.stringify({ host: hostname(), pid: process.pid });
  const take = () => writeFile(path, own, { flag: 'wx' });
  try {
    await take();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    const holder = await readFile(path, 'utf8').catch(() => '');
    if (isAlive(holder)) {
      throw new InputOutputError(
        `convert: another conversion is writing to ${folder} (${holder}); wait for it, or remove ${path} if it is gone`,
        { cause: error },
      );
    }
    await rm(path, { force: true });
    await take();
  }
  return { [Symbol.asyncDispose]: () => rm(path, { force: true }) };
}

/** A holder on another machine cannot be asked and counts as alive; an empty lock is of one that was killed at once. */
function isAlive(holder: string): boolean {
  try {
    const { host, pid } = JSON.parse(holder) as { host?: unknown; pid?: unknown };
    if (host !== hostname()) return true;
    if (typeof pid !== 'number') return false;
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
