import { OptionError } from '@xlstm/device';
import { blobSource, type Checkpoint, openCheckpoint } from '@xlstm/loaders';
import { checkpointBlobs, isPickedFiles, type PickedFiles } from './picked-files.ts';

/** Where a model can come from: a local folder, files picked or dropped in a page, or an open checkpoint. */
export type ModelSource = string | PickedFiles | Checkpoint;

/** Options of opening a source. */
export interface OpenSourceOptions {
  signal?: AbortSignal | undefined;
}

/** An open checkpoint, and how to give back what opening it took. */
export interface OpenedSource {
  checkpoint: Checkpoint;
  close(): Promise<void>;
}

/**
 * Opens whatever `fromPretrained` is given. An open checkpoint stays its owner's.
 *
 * @throws CheckpointError for files that are no checkpoint, OptionError for something that is no source, and
 *   `signal.reason` on abort; then nothing stays open
 */
export async function openSource(source: ModelSource, { signal }: OpenSourceOptions = {}): Promise<OpenedSource> {
  const options = signal ? { signal } : {};
  if (typeof source === 'string') {
    const checkpoint = await openCheckpoint(source, options);
    return { checkpoint, close: () => checkpoint.close() };
  }
  if (typeof source !== 'object' || source === null) {
    throw new OptionError(
      `fromPretrained: expected a folder, files or an open checkpoint, got ${String(source)}; name where the model is`,
    );
  }
  if (!isPickedFiles(source)) return { checkpoint: source, close: async () => {} };
  const sources = checkpointBlobs(source).map(({ blob, name }) => blobSource(blob, name));
  const checkpoint = await openCheckpoint(sources, options);
  return {
    checkpoint,
    async close() {
      await checkpoint.close();
      for (const each of sources) await each.close();
    },
  };
}
