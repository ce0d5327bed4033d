import { readdir, realpath, statfs } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { CheckpointError } from '@xlstm/device';
import { makeFolder } from '@xlstm/loaders';
import { InputOutputError, UsageError } from '../failures.ts';
import { JOURNAL_FILE, type Journal, readJournal } from './journal.ts';
import type { ConversionOptions } from './plan.ts';

function isWithin(inner: string, outer: string): boolean {
  const path = relative(outer, inner);
  return path === '' || !(path === '..' || path.startsWith(`..${sep}`) || resolve(path) === path);
}

/** The real path of a folder that may not be there yet. */
async function realFolder(folder: string): Promise<string> {
  const full = resolve(folder);
  try {
    return await realpath(full);
  } catch (error) {
    const parent = dirname(full);
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === full) throw error;
    return join(await realFolder(parent), basename(full));
  }
}

/** @throws UsageError for a result in the model's folder, or around it. */
export async function checkApart(model: string | undefined, out: string): Promise<void> {
  if (model === undefined) return;
  const place = await realFolder(out);
  if (!isWithin(place, model) && !isWithin(model, place)) return;
  throw new UsageError(
    `convert: OUT must lie apart from MODEL, got ${out} and ${model}; name a folder beside the model`,
  );
}

/**
 * Makes the folder, or looks at what is in it.
 *
 * @returns the journal of a conversion that was interrupted there; undefined for a folder to begin in.
 * @throws CheckpointError for a folder with other things in it, a whole model among them.
 */
export async function prepareFolder(out: string): Promise<Journal | undefined> {
  try {
    await makeFolder(out);
    const names = await readdir(out);
    const journal = await readJournal(out);
    if (journal) return journal;
    // Files of ours from before the first journal was written.
    const foreign = names.filter((name) => !name.startsWith(JOURNAL_FILE) && !name.startsWith('.xlstm-convert'));
    if (foreign.length === 0) return undefined;
    const found = `${foreign.sort().slice(0, 5).join(', ')}${foreign.length > 5 ? ', …' : ''}`;
    throw new CheckpointError(
      foreign.includes('config.json')
        ? `convert: OUT must be empty or an interrupted conversion, got ${out} with a whole model (${found}); --verify holds it against MODEL, or name another folder`
        : `convert: OUT must be empty or an interrupted conversion, got ${out} with ${found}; name another folder`,
    );
  } catch (cause) {
    if (cause instanceof CheckpointError) throw cause;
    throw new InputOutputError(
      `convert: cannot use ${out}: ${(cause as Error).message}; name a folder that may be written`,
      { cause },
    );
  }
}

/** @throws CheckpointError where what was interrupted was another conversion. */
export function checkSame(journal: Journal, source: string, options: ConversionOptions, out: string): void {
  const remedy = `run the command that was interrupted, or remove ${out}, or name another folder`;
  const says = ({ dtype, group, shardBytes }: ConversionOptions) =>
    `--dtype ${dtype} --group-size ${group} --shard-size ${shardBytes}`;
  if (says(journal.options) !== says(options)) {
    throw new CheckpointError(
      `convert: ${out} holds an interrupted conversion with ${says(journal.options)}, got ${says(options)}; ${remedy}`,
    );
  }
  if (journal.source !== source) {
    throw new CheckpointError(
      `convert: ${out} holds an interrupted conversion of another model, or MODEL has changed since; ${remedy}`,
    );
  }
}

/** Bytes that may still be written to a folder's file system. */
export async function availableBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}
