import { type Arena, ShapeError } from '@xlstm/device';
import {
  type MlstmBackwardInputs,
  type MlstmGradients,
  requireAccumulate,
  requireBackward,
} from '../backward-inputs.ts';
import { cellParams, type MlstmOptions } from '../inputs.ts';
import { headMajor } from '../layout.ts';
import type { MlstmShape } from '../shape.ts';
import { queueBackward } from './backward-segment.ts';
import { queueStates } from './last-state.ts';

/** Options of the parallel backward. */
export interface MlstmParallelBackwardOptions extends MlstmOptions {
  /** Whether gradients are added to what is in their buffers; default false, which replaces it. */
  accumulate?: boolean;
}

/** Steps that the pass for the last state takes at a time. */
const CHUNK = 64;

/**
 * The exact gradient of `mlstmParallel`: the equations of `mlstmChunkwiseBackward` with the whole sequence as one chunk,
 * so that every step meets every step before it. The form to compare others with; it keeps all scores.
 *
 * @param arena where the scores are kept for the call, 2·B·NH·S² of them
 * @param inputs what the forward pass read and left, and the gradients `dh` and `dlast`, all fp32
 * @param gradients `dq, dk [B, NH, S, DHQK]`, `dv [B, NH, S, DHHV]`, `di, df [B, NH, S]`, and `dinitial`, all fp32
 * @throws ShapeError (also when the scores do not fit into one buffer of the device), DtypeError, OptionError before
 * anything is queued. Source: xLSTM (2405.04517), appendix A.3.
 * @example
 * ```ts
 * mlstmParallelBackward(arena, shape, { q, k, v, i, f, initial, h, readout, dh }, { dq, dk, dv, di, df })
 * ```
 */
export function mlstmParallelBackward(
  arena: Arena,
  shape: MlstmShape,
  inputs: MlstmBackwardInputs,
  gradients: MlstmGradients,
  options: MlstmParallelBackwardOptions = {},
): void {
  const operation = 'mlstmParallelBackward';
  requireBackward(operation, shape, inputs, gradients);
  const cell = cellParams(operation, options, ['accumulate']);
  const { accumulate = false } = options;
  requireAccumulate(operation, accumulate);
  const { B, NH, S } = shape;
  const bytes = 8 * B * NH * S * S;
  if (bytes > arena.device.maxBufferBytes) {
    throw new ShapeError(
      `${operation}: the scores of B=${B}, NH=${NH}, S=${S} take ${bytes} bytes, ${arena.device.name} binds ${arena.device.maxBufferBytes}; call mlstmChunkwiseBackward`,
    );
  }
  const { initial, dlast, readout } = inputs;
  const { dinitial, ...rest } = gradients;
  const carry = arena.alloc('fp32', initial.length, 'mlstm gradient of a state');
  try {
    if (dlast) arena.device.copy(dlast, carry);
    else arena.device.clear(carry);
    const last = queueStates(arena, shape, { ...inputs, state: initial }, cell, { L: CHUNK, entering: undefined });
    try {
      queueBackward(
        arena,
        {
          ...inputs,
          shape,
          readout: { buffer: readout, layout: headMajor(shape, 1) },
          plane: B * NH * S,
          // One chunk is entered with one state.
          entering: initial,
          last,
          L: S,
          carry,
          whole: dlast !== undefined,
          gradients: rest,
          dinitial,
          accumulate: accumulate ? 1 : 0,
        },
        cell,
      );
    } finally {
      arena.release(last);
    }
  } finally {
    arena.release(carry);
  }
}
