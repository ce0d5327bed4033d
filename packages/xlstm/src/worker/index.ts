import { type DeviceChoice, OptionError } from '@xlstm/device';
import type { FromPretrainedOptions } from '../from-pretrained.ts';
import { checkpointBlobs, isPickedFiles, type PickedFiles } from '../picked-files.ts';
import { Connection } from './connection.ts';
import { type EngineWorker, startEngineWorker } from './engine-worker.ts';
import { PROTOCOL_VERSION } from './protocol.ts';
import { WorkerModel } from './worker-model.ts';

export type { BatchChunk, BatchOptions, BatchPrompt, BatchPrompts, GeneratedBatch } from '../batch-options.ts';
export type { GenerateChunk, GeneratedText, GenerateResult, GenerateUsage } from '../generated-text.ts';
export type { NamedBlob, PickedFiles } from '../picked-files.ts';
export type { EngineWorker, PageWorker, ThreadWorker } from './engine-worker.ts';
export { WorkerBatch } from './worker-batch.ts';
export { type WorkerDevice, WorkerModel, type WorkerTokenizer } from './worker-model.ts';
export { WorkerState } from './worker-state.ts';
export { type WorkerGenerateOptions, WorkerStream } from './worker-stream.ts';

/** Options of `fromPretrained` in a worker: those of `xlstm`'s own, but a device goes by its name. */
export interface FromPretrainedInWorkerOptions extends Omit<FromPretrainedOptions, 'device'> {
  /** `auto` (the default) takes the best there is; or a name. */
  device?: DeviceChoice;
  /** A worker of yours that runs `xlstm/worker-entry`; it stays yours. By default one is started, and ended by `dispose`. */
  worker?: EngineWorker;
}

/**
 * Loads a model into a worker: the same engine with the same interface as `fromPretrained` of `xlstm`, while the thread
 * that calls stays free. In browsers a module worker, in Node a thread of `node:worker_threads`.
 *
 * @param source a hub id, an address, a local folder (Node), or the files of one as a page has them
 * @throws what `fromPretrained` of `xlstm` throws, of the same classes; DeviceLostError when the worker cannot start or
 *   ends; `signal.reason` on abort. Nothing stays allocated.
 * @example
 * ```ts
 * import { fromPretrained } from 'xlstm/worker'
 * const model = await fromPretrained(input.files)
 * for await (const { text } of model.generate('Once upon a time')) output.append(text)
 * await model.dispose()
 * ```
 */
export async function fromPretrained(
  source: string | PickedFiles,
  options: FromPretrainedInWorkerOptions = {},
): Promise<WorkerModel> {
  const { signal, onProgress, onDownload, worker, ...rest } = options;
  signal?.throwIfAborted();
  if (typeof rest.device === 'object') {
    throw new OptionError('fromPretrained: a device cannot be sent to a worker; name it: auto, webgpu or cpu');
  }
  if (onDownload !== undefined && typeof onDownload !== 'function') {
    throw new OptionError(`fromPretrained: onDownload must be a function, got ${String(onDownload)}`);
  }
  if (typeof source !== 'string' && !(typeof source === 'object' && source !== null && isPickedFiles(source))) {
    throw new OptionError(
      'fromPretrained: a worker can be sent a hub id, an address, a folder or files, not an open checkpoint',
    );
  }
  const request = {
    version: PROTOCOL_VERSION,
    source: typeof source === 'string' ? source : checkpointBlobs(source),
    options: rest,
    reportProgress: onProgress !== undefined,
    reportDownload: onDownload !== undefined,
  };
  const connection = new Connection(worker ?? startEngineWorker(), worker === undefined);
  let thrown: { error: unknown } | undefined;
  const onAbort = (): void => connection.tell('abortLoad');
  signal?.addEventListener('abort', onAbort);
  /** As without a worker, nothing more is told after an abort, and what a callback throws ends the loading. */
  const telling =
    <T>(tell: ((news: T) => void) | undefined) =>
    (news: T): void => {
      if (thrown || signal?.aborted) return;
      try {
        tell?.(news);
      } catch (error) {
        thrown = { error };
        onAbort();
      }
    };
  connection.onProgress = telling(onProgress);
  connection.onDownload = telling(onDownload);
  try {
    const model = new WorkerModel(connection, await connection.call('load', request));
    // The last news is under way with the model: what it made a callback throw is not lost.
    if (!thrown) return model;
    await model.dispose();
    throw thrown.error;
  } catch (error) {
    const failure = error instanceof Error ? error : new OptionError(String(error));
    await connection.end(failure);
    if (thrown) throw thrown.error;
    throw signal?.aborted && failure.name === 'AbortError' ? signal.reason : failure;
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}
