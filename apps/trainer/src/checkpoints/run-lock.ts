import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CheckpointError } from '@xlstm/device';
import { makeFolder } from '@xlstm/loaders';

const LOCK = 'run.lock';

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // The process is there, but someone else's.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The other process that has a run folder, if one has. */
export async function runOwner(outDir: string): Promise<number | undefined> {
  const owner = Number.parseInt(await readFile(join(outDir, LOCK), 'utf8').catch(() => ''), 10);
  return owner > 0 && owner !== process.pid && isAlive(owner) ? owner : undefined;
}

/**
 * Takes a run folder for this process until the returned function is called. A lock whose process is gone is taken over.
 *
 * @throws CheckpointError when another process has it, or the folder cannot be written.
 */
export async function lockRun(outDir: string): Promise<() => Promise<void>> {
  const path = join(outDir, LOCK);
  try {
    await makeFolder(outDir);
    for (let attempt = 0; ; attempt++) {
      try {
        const handle = await open(path, 'wx');
        await handle.writeFile(`${process.pid}\n`);
        await handle.close();
        return () => rm(path, { force: true });
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt > 3) throw error;
        const owner = await runOwner(outDir);
        if (owner !== undefined) {
          throw new CheckpointError(
            `train: ${outDir} is in use by process ${owner}; stop it first, or choose another out_dir (if that process is no training, remove ${path})`,
          );
        }
        await rm(path, { force: true });
      }
    }
  } catch (cause) {
    if (cause instanceof CheckpointError) throw cause;
    throw new CheckpointError(
      `train: cannot write to ${outDir}: ${(cause as Error).message}; choose an out_dir that can be written`,
      { cause },
    );
  }
}
