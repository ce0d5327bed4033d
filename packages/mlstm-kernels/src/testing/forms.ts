import { cellParams } from '../inputs.ts';
import { chunkwiseInSegments, mlstmChunkwise } from '../ops/mlstm-chunkwise.ts';
import { mlstmParallel } from '../ops/mlstm-parallel.ts';
import { mlstmRecurrent } from '../ops/mlstm-recurrent.ts';
import { mlstmSequence } from '../ops/mlstm-sequence.ts';
import type { MlstmKernel } from '../registry.ts';

/** The chunkwise form with a chunk size. */
export function chunkwise(chunkSize: number): MlstmKernel {
  return (arena, shape, inputs, options) => mlstmChunkwise(arena, shape, inputs, { ...options, chunkSize });
}

/** The chunkwise form of 32 steps, with room for the entering states of two chunks. */
const segmented: MlstmKernel = (arena, shape, inputs, options = {}) =>
  chunkwiseInSegments(arena, shape, inputs, cellParams('test', options), 32, 2 * inputs.state.byteLength);

/** Every form that takes any number of steps; all compute the same. */
export const FORMS: Readonly<Record<string, MlstmKernel>> = {
  recurrent: (arena, shape, inputs, options) => mlstmRecurrent(arena.device, shape, inputs, options),
  'chunkwise 32': chunkwise(32),
  'chunkwise 64': chunkwise(64),
  'chunkwise 96': chunkwise(96),
  'chunkwise 256': chunkwise(256),
  'chunkwise 32 in segments': segmented,
  parallel: mlstmParallel,
  sequence: mlstmSequence,
};
