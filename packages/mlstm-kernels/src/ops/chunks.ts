import { type Device, OptionError } from '@xlstm/device';
import type { MlstmOptions } from '../inputs.ts';

/** Options of the chunkwise form. */
export interface MlstmChunkwiseOptions extends MlstmOptions {
  /** Steps a chunk: 32, 64, 96, … 256. Default 64. Larger chunks keep fewer states, and compute more within chunks. */
  chunkSize?: number;
}

const DEFAULT_CHUNK = 64;
const CHUNK_UNIT = 32;
const LARGEST_CHUNK = 256;

/** What is kept by chunk may take so much; WebGPU's default limit for one binding. */
const MOST_BYTES = 128 * 2 ** 20;

/** The chunk size that the options ask for. Throws an `OptionError` unless it is supported. */
export function chunkSizeOf(operation: string, { chunkSize: L = DEFAULT_CHUNK }: MlstmChunkwiseOptions): number {
  if (!(Number.isInteger(L / CHUNK_UNIT) && L > 0 && L <= LARGEST_CHUNK)) {
    throw new OptionError(
      `${operation}: chunkSize must be a multiple of ${CHUNK_UNIT} up to ${LARGEST_CHUNK}, got ${L}; the default is ${DEFAULT_CHUNK}`,
    );
  }
  return L;
}

/** The most bytes that one buffer of things kept by chunk may have. */
export function segmentBytes(device: Device): number {
  return Math.min(device.maxBufferBytes, MOST_BYTES);
}

/** Steps of a segment whose chunks, of `L` steps and `chunkBytes` each, fit in `mostBytes`; one chunk at least. */
export function segmentSteps(L: number, chunkBytes: number, mostBytes: number): number {
  return L * Math.max(1, Math.floor(mostBytes / chunkBytes));
}
