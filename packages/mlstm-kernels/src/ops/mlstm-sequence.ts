import type { Arena } from '@xlstm/device';
import type { MlstmInputs, MlstmOptions } from '../inputs.ts';
import type { MlstmShape } from '../shape.ts';
import { mlstmChunkwise } from './mlstm-chunkwise.ts';
import { mlstmStep } from './mlstm-recurrent.ts';

/**
 * The mLSTM cell over a sequence of any length, in the form that is fast for it: one step by `mlstmStep`, more by
 * `mlstmChunkwise` in chunks of 64, which also keeps a `readout`.
 *
 * @param inputs `q, k [B, NH, S, DHQK]`, `v, h [B, NH, S, DHHV]`, pre-activations `i, f [B, NH, S]`, all fp32
 * @throws ShapeError, DtypeError, OptionError before anything is queued. Source: xLSTM 7B (2503.13427), section 3.
 * @example
 * ```ts
 * mlstmSequence(arena, { B: 1, NH: 8, S: prompt.length, DHQK: 256, DHHV: 512 }, inputs)
 * ```
 */
export function mlstmSequence(arena: Arena, shape: MlstmShape, inputs: MlstmInputs, options: MlstmOptions = {}): void {
  if (shape.S === 1 && !inputs.readout) mlstmStep(arena.device, shape, inputs, options);
  else mlstmChunkwise(arena, shape, inputs, options);
}
