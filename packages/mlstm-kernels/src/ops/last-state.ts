import type { Arena, DeviceBuffer } from '@xlstm/device';
import type { CellParams, MlstmInputs } from '../inputs.ts';
import { mlstmChunkwiseStatesKernel } from '../kernels/mlstm-chunkwise-states/index.ts';
import { layoutParams } from '../layout.ts';
import type { MlstmShape } from '../shape.ts';

/** Chunks that are passed over to get a last state; the states between are `entering`, where it is given. */
export interface StatesPass {
  L: number;
  entering: DeviceBuffer | undefined;
}

/**
 * Queues the pass over chunks. The last state goes to a temporary first and is returned there, since every workgroup
 * of a head reads the initial m: the caller copies it over `inputs.state` and releases it.
 */
export function queueStates(
  arena: Arena,
  shape: MlstmShape,
  { k, v, i, f, state }: Pick<MlstmInputs, 'k' | 'v' | 'i' | 'f' | 'state'>,
  { sigmoid }: CellParams,
  { L, entering }: StatesPass,
): DeviceBuffer {
  const last = arena.alloc('fp32', state.length, 'mlstm last state');
  try {
    arena.device.launch(mlstmChunkwiseStatesKernel, {
      buffers: { k: k.buffer, v: v.buffer, i: i.buffer, f: f.buffer, initial: state, entering, last },
      params: {
        ...layoutParams('k', k),
        ...layoutParams('v', v),
        ...layoutParams('i', i),
        ...layoutParams('f', f),
        B: shape.B,
        NH: shape.NH,
        S: shape.S,
        DHQK: shape.DHQK,
        DHHV: shape.DHHV,
        L,
        sigmoid,
      },
    });
  } catch (error) {
    arena.release(last);
    throw error;
  }
  return last;
}
