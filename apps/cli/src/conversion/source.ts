import { createHash } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { type Checkpoint, openCheckpoint, type ResolvedModel, readTensorBytes, resolveModel } from '@xlstm/loaders';
import type { Progress } from '../progress.ts';

/** The model that is converted, open. */
export interface ConversionSource extends AsyncDisposable {
  checkpoint: Checkpoint;
  files: ResolvedModel;
  /** The real path of a folder; undefined for what comes from elsewhere. */
  folder: string | undefined;
}

/** Opens a folder or hub model; a hub model is fetched first. */
export async function openConversionSource(
  model: string,
  { revision, signal, progress }: { revision: string | undefined; signal: AbortSignal; progress: Progress },
): Promise<ConversionSource> {
  const files = await resolveModel(model, {
    revision,
    signal,
    onProgress: (event) => {
      if (event.status === 'progress' && event.total > 0) {
        progress.update(`fetching ${event.file}`, event.loaded / event.total);
      }
    },
  });
  const checkpoint = await openCheckpoint(files, { signal });
  const isFolder = files.id === undefined && !/^https?:\/\//i.test(model);
  return {
    checkpoint,
    files,
    folder: isFolder ? await realpath(model) : undefined,
    [Symbol.asyncDispose]: () => checkpoint.close(),
  };
}

const SAMPLE_BYTES = 1024;

/**
 * Tells one source from another without reading it all: configuration, every tensor's name, dtype and shape, and a kilobyte
 * from the middle of each. Where it lies does not matter.
 */
export async function sourceIdentity({ config, tensors }: Checkpoint, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(config));
  for (const name of [...tensors.keys()].sort()) {
    const info = tensors.get(name)!;
    hash.update(JSON.stringify([name, info.dtype, info.shape]));
    const length = Math.min(SAMPLE_BYTES, info.byteLength);
    const offset = Math.floor((info.byteLength - length) / 2);
    hash.update(await readTensorBytes(info, { offset, length, signal }));
  }
  return hash.digest('hex');
}
