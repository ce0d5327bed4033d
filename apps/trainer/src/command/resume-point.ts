import { CheckpointError } from '@xlstm/device';
import {
  type Checkpoint,
  identityDifferences,
  listCheckpoints,
  loadCheckpoint,
  type RunIdentity,
} from '../checkpoints/checkpoint-folder.ts';
import type { BatchSource } from '../data/batch-source.ts';

/**
 * Tries whether a source can be put where a checkpoint left it, and leaves it as it is.
 *
 * @throws ConfigError or CheckpointError when it is of other data, or of other rows
 */
export async function checkPosition(source: BatchSource, { position }: Checkpoint): Promise<void> {
  const here = source.position();
  await source.seek(position);
  await source.seek(here);
}

/**
 * The checkpoint to go on from, or none for a new run.
 *
 * @throws CheckpointError when the two do not go together and `force` is not given.
 */
export async function checkpointToResume(
  outDir: string,
  identity: RunIdentity,
  { resume, force }: { resume: boolean; force: boolean },
): Promise<Checkpoint | undefined> {
  const last = (await listCheckpoints(outDir)).at(-1);
  if (!resume) {
    if (last && !force) {
      throw new CheckpointError(
        `train: ${outDir} holds a run (step ${last.step}); go on with --resume, choose another out_dir, or start over with --force`,
      );
    }
    return undefined;
  }
  if (!last) throw new CheckpointError(`train: ${outDir} has no checkpoint to resume from; leave --resume out`);
  const checkpoint = await loadCheckpoint(last.folder);
  const differences = identityDifferences(checkpoint.identity, identity);
  if (differences.length > 0 && !force) {
    throw new CheckpointError(
      `train: the checkpoint at step ${last.step} was made with another ${differences.join(' and another ')}; restore the configuration, or go on all the same with --force, which takes over what fits`,
    );
  }
  return checkpoint;
}
