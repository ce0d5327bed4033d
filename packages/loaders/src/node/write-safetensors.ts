import type { FileHandle } from 'node:fs/promises';
import { CheckpointError } from '@xlstm/device';
import { type NamedTensor, safetensorsPieces } from '../safetensors/encode-safetensors.ts';
import { reason } from '../transfer/reason.ts';
import { nodeModules } from './node-modules.ts';
import { syncFolder, writeFully } from './whole-writes.ts';

/**
 * Writes a safetensors file whole or not at all (Node only): under a temporary name beside it, synced to disk, then
 * renamed over whatever was there. Tensors are written one by one from where they lie.
 *
 * @throws as `encodeSafetensors`, before anything is written; CheckpointError when the disk refuses; `signal.reason`
 * when aborted. In each case the file at `path` is as it was.
 * @example
 * await writeSafetensors('out/model.safetensors', [{ name: 'w', dtype: 'F32', shape: [3], data: new Float32Array(3) }]);
 */
export async function writeSafetensors(
  path: string,
  tensors: readonly NamedTensor[],
  options: {
    readonly metadata?: Readonly<Record<string, string>>;
    readonly signal?: AbortSignal | undefined;
  } = {},
): Promise<void> {
  const { pieces } = safetensorsPieces(tensors, options.metadata);
  options.signal?.throwIfAborted();
  const { fs, path: paths } = nodeModules('writeSafetensors');
  const temporary = `${path}.${globalThis.crypto.randomUUID()}.tmp`;
  let handle: FileHandle | undefined;
  let created = false;
  try {
    handle = await fs.open(temporary, 'wx');
    created = true;
    for (const piece of pieces) await writeFully(handle, piece, null, options.signal);
    await handle.sync();
    await handle.close();
    handle = undefined;
    options.signal?.throwIfAborted();
    await fs.rename(temporary, path);
    created = false;
    await syncFolder(fs, paths.dirname(path));
  } catch (error) {
    await handle?.close().catch(() => {});
    if (created) await fs.rm(temporary, { force: true });
    if (options.signal?.aborted) throw options.signal.reason;
    throw new CheckpointError(
      `writeSafetensors: cannot write ${path}: ${reason(error)}; check that the folder exists, is writable and has room`,
      { cause: error },
    );
  }
}
