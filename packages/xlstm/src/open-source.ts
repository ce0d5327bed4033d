import { OptionError } from '@xlstm/device';
import { blobSource, type Checkpoint, type OnTransferProgress, openCheckpoint, resolveModel } from '@xlstm/loaders';
import { checkpointBlobs, isPickedFiles, type PickedFiles } from './picked-files.ts';

/**
 * Where a model can come from: a local folder, a hub id (`ORG/NAME`), an address, files picked or dropped in a page, or
 * an open checkpoint.
 */
export type ModelSource = string | PickedFiles | Checkpoint;

/** How models are fetched from the hub; without meaning for folders and files. */
export interface DownloadOptions {
  /** Branch, tag or commit; `main` by default. */
  revision?: string;
  /** For gated models; by default `HF_TOKEN` or what the hub's own tools have stored. `false` sends none. */
  token?: string | false;
  /** Where models are kept, shared with Python's client; by default as `HF_HOME` and its kin say. Node only. */
  cacheDir?: string;
  /** Uses only what is kept; by default as `HF_HUB_OFFLINE` says. */
  offline?: boolean;
  /** Called as files arrive: `initiate`, `download`, `progress`, `done`, `ready`. */
  onDownload?: OnTransferProgress;
}

/** Options of opening a source. */
export interface OpenSourceOptions extends DownloadOptions {
  signal?: AbortSignal | undefined;
  /** Called with the headers of a hub model before its weights are fetched; throws to refuse it. */
  beforeDownload?: (checkpoint: Checkpoint) => void;
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
export async function openSource(source: ModelSource, opening: OpenSourceOptions = {}): Promise<OpenedSource> {
  const { signal, onDownload, beforeDownload, ...download } = opening;
  const options = signal ? { signal } : {};
  if (typeof source === 'string') {
    const where = { ...options, ...download };
    // First without downloading: that is all a folder or a plain address needs, and for the hub it reads the headers.
    let files = await resolveModel(source, { ...where, download: false });
    if (files.id !== undefined) {
      const headers = await openCheckpoint(files, options);
      try {
        beforeDownload?.(headers);
      } finally {
        await headers.close();
      }
      // A hub that did not answer is not asked, and waited for, once more.
      const offline = files.fromCacheBecause === undefined ? {} : { offline: true };
      files = await resolveModel(source, { ...where, ...offline, ...(onDownload ? { onProgress: onDownload } : {}) });
    }
    const checkpoint = await openCheckpoint(files, options);
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
