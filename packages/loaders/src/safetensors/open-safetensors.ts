import { CheckpointError } from '@xlstm/device';
import { type ByteSource, checkRange, readInto } from '../byte-source/byte-source.ts';
import { parseHeader, type SafetensorsHeader, type TensorInfo } from './header.ts';

/** The format's own bound on a header, kept by its reference reader. */
export const MAX_HEADER_BYTES = 100_000_000;

/** An open safetensors file: its header in memory, its tensors still on disk. */
export interface SafetensorsFile extends SafetensorsHeader {
  readonly source: ByteSource;
}

/**
 * Opens a safetensors file by reading its header alone, two ranges, and checks every claim of it against the file.
 *
 * @param source stays the caller's to close; it must stay open while tensors are read.
 * @returns the tensors by name, with absolute offsets, and the metadata.
 * @throws CheckpointError naming file, tensor, expectation and finding, for a file that is truncated, oversized, not
 * JSON, has duplicate keys, wrong byte counts, unknown dtypes, overlaps or holes; `signal.reason` when aborted.
 * Format: https://huggingface.co/docs/safetensors
 * @example
 * const file = await openSafetensors(await fileSource('model.safetensors'));
 * file.tensors.get('lm_head.weight')?.shape; // [50304, 4096]
 */
export async function openSafetensors(
  source: ByteSource,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<SafetensorsFile> {
  const { signal } = options;
  if (source.size < 8) {
    throw new CheckpointError(
      `openSafetensors: ${source.name} must begin with 8 bytes of header length, got a file of ${source.size} bytes; the file is truncated, fetch it again`,
    );
  }
  const prefix = await source.read(0, 8, signal);
  const claimed = new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true);
  if (claimed > BigInt(MAX_HEADER_BYTES)) {
    throw new CheckpointError(
      `openSafetensors: ${source.name} must have a header of at most ${MAX_HEADER_BYTES} bytes, got a length of ${claimed}; this is not a safetensors file`,
    );
  }
  const length = Number(claimed);
  if (length > source.size - 8) {
    throw new CheckpointError(
      `openSafetensors: ${source.name} claims a header of ${length} bytes, got a file of ${source.size} bytes; the file is truncated, fetch it again`,
    );
  }
  const header = await source.read(8, length, signal);
  return { source, ...parseHeader(header, 8 + length, source) };
}

/**
 * The raw little-endian bytes of a tensor or of a range of them, in a buffer of their own from its offset 0, so that
 * any typed array fits over it.
 *
 * @param options `offset` and `length` in bytes within the tensor; all of it when left out.
 * @throws OptionError for a range outside the tensor; `signal.reason` when aborted.
 * @example
 * const ids = new Int32Array((await readTensorBytes(info)).buffer);
 */
export async function readTensorBytes(
  info: TensorInfo,
  options: {
    readonly offset?: number | undefined;
    readonly length?: number | undefined;
    readonly signal?: AbortSignal | undefined;
  } = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const offset = options.offset ?? 0;
  const length = options.length ?? info.byteLength - offset;
  checkRange('readTensorBytes', `tensor ${info.name}`, info.byteLength, offset, length);
  const bytes = new Uint8Array(length);
  await readInto(info.source, info.offset + offset, bytes, options.signal);
  return bytes;
}
