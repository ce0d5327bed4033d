import type { Arena, DeviceBuffer } from '@xlstm/device';
import type { MlstmGradients } from '../backward-inputs.ts';
import { rowsLength, tilesOf } from '../backward-rows.ts';
import type { CellParams } from '../inputs.ts';
import { mlstmBackwardGatesKernel } from '../kernels/mlstm-backward-gates/index.ts';
import { mlstmBackwardInitialKernel } from '../kernels/mlstm-backward-initial/index.ts';
import { mlstmBackwardRowsKernel } from '../kernels/mlstm-backward-rows/index.ts';
import { mlstmBackwardStabilizerKernel } from '../kernels/mlstm-backward-stabilizer/index.ts';
import { mlstmChunkwiseBackwardKeysKernel } from '../kernels/mlstm-chunkwise-backward-keys/index.ts';
import { mlstmChunkwiseBackwardQueriesKernel } from '../kernels/mlstm-chunkwise-backward-queries/index.ts';
import { mlstmChunkwiseBackwardScoresKernel } from '../kernels/mlstm-chunkwise-backward-scores/index.ts';
import { mlstmChunkwiseBackwardStatesKernel } from '../kernels/mlstm-chunkwise-backward-states/index.ts';
import { mlstmChunkwiseBackwardValuesKernel } from '../kernels/mlstm-chunkwise-backward-values/index.ts';
import { layoutParams, type Operand } from '../layout.ts';
import type { MlstmShape } from '../shape.ts';

/** What one segment's backward pass works on; operands start at the segment's first step. */
export interface BackwardSegment {
  shape: MlstmShape;
  q: Operand;
  k: Operand;
  v: Operand;
  i: Operand;
  f: Operand;
  h: Operand;
  dh: Operand;
  readout: Operand;
  /** How far the readout's second plane is from the first. */
  plane: number;
  /** The states that the segment's chunks of `L` steps are entered with, and the one after them. */
  entering: DeviceBuffer;
  last: DeviceBuffer;
  L: number;
  /** The gradient of the state after the segment, which becomes that of the state before it. */
  carry: DeviceBuffer;
  /** Whether the m of `carry` is the gradient of m with C and n held, as callers give it, or with the true state held. */
  whole: boolean;
  gradients: Omit<MlstmGradients, 'dinitial'>;
  /** Given where the segment is the sequence's first and its gradient is asked for. */
  dinitial: DeviceBuffer | undefined;
  accumulate: number;
}

/** Queues the backward pass of one segment; temporaries come from the arena and are back in it afterwards. */
export function queueBackward(arena: Arena, segment: BackwardSegment, cell: CellParams): void {
  const { device } = arena;
  const { shape, q, k, v, i, f, h, dh, readout, entering, last, L, carry, gradients, accumulate } = segment;
  const { B, NH, S, DHQK, DHHV } = shape;
  const NC = Math.ceil(S / L);
  const heads = B * NH;
  const sizes = { B, NH, S, DHQK, DHHV, L };
  const flux_tiles = tilesOf(DHQK) * tilesOf(DHHV);
  const taken: DeviceBuffer[] = [];
  const take = (length: number, label: string): DeviceBuffer => {
    const buffer = arena.alloc('fp32', length, label);
    taken.push(buffer);
    return buffer;
  };
  try {
    const rows = take(rowsLength(sizes), 'mlstm rows');
    const scores = take(2 * heads * NC * L * L, 'mlstm scores');
    const leaving = take(heads * NC * DHQK * (DHHV + 1), 'mlstm gradients of leaving states');
    const flux = take(flux_tiles * heads * (NC + 1), 'mlstm flux');
    const shares = take(2 * heads * S, 'mlstm shares of the stabiliser');
    const flows = take((2 * tilesOf(L) + 1) * heads * S, 'mlstm flows');
    const arriving = take(tilesOf(DHQK) * heads * S, 'mlstm flows from states');
    const departing = take(tilesOf(DHQK) * heads * S, 'mlstm flows to states');
    const layouts = {
      q: layoutParams('q', q),
      k: layoutParams('k', k),
      v: layoutParams('v', v),
      dh: layoutParams('dh', dh),
    };
    device.launch(mlstmBackwardRowsKernel, {
      buffers: { f: f.buffer, i: i.buffer, h: h.buffer, dh: dh.buffer, readout: readout.buffer, entering, last, rows },
      params: {
        ...layoutParams('f', f),
        ...layoutParams('i', i),
        ...layoutParams('h', h),
        ...layouts.dh,
        ...layoutParams('readout', readout),
        readout_plane: segment.plane,
        ...sizes,
        ...cell,
      },
    });
    device.launch(mlstmChunkwiseBackwardStatesKernel, {
      buffers: { q: q.buffer, dh: dh.buffer, rows, entering, last, carry, leaving, flux },
      params: { ...layouts.q, ...layouts.dh, ...sizes },
    });
    device.launch(mlstmBackwardStabilizerKernel, {
      buffers: { rows, flux, carry, shares },
      params: { ...sizes, flux_tiles, whole: segment.whole ? 1 : 0, sigmoid: cell.sigmoid },
    });
    device.launch(mlstmChunkwiseBackwardScoresKernel, {
      buffers: { q: q.buffer, k: k.buffer, v: v.buffer, dh: dh.buffer, rows, scores, flows },
      params: { ...layouts.q, ...layouts.k, ...layouts.v, ...layouts.dh, ...sizes },
    });
    device.launch(mlstmChunkwiseBackwardQueriesKernel, {
      buffers: {
        q: q.buffer,
        k: k.buffer,
        dh: dh.buffer,
        rows,
        entering,
        scores,
        gradient: gradients.dq.buffer,
        arriving,
      },
      params: {
        ...layouts.q,
        ...layouts.k,
        ...layouts.dh,
        ...layoutParams('gradient', gradients.dq),
        ...sizes,
        accumulate,
      },
    });
    device.launch(mlstmChunkwiseBackwardKeysKernel, {
      buffers: {
        q: q.buffer,
        k: k.buffer,
        v: v.buffer,
        rows,
        leaving,
        scores,
        gradient: gradients.dk.buffer,
        departing,
      },
      params: {
        ...layouts.q,
        ...layouts.k,
        ...layouts.v,
        ...layoutParams('gradient', gradients.dk),
        ...sizes,
        accumulate,
      },
    });
    device.launch(mlstmChunkwiseBackwardValuesKernel, {
      buffers: { k: k.buffer, dh: dh.buffer, rows, leaving, scores, gradient: gradients.dv.buffer },
      params: { ...layouts.k, ...layouts.dh, ...layoutParams('gradient', gradients.dv), ...sizes, accumulate },
    });
    for (const [forget, gate, gradient] of [
      [0, i, gradients.di],
      [1, f, gradients.df],
    ] as const) {
      device.launch(mlstmBackwardGatesKernel, {
        buffers: { gate: gate.buffer, flows, arriving, departing, flux, shares, gradient: gradient.buffer },
        params: {
          ...layoutParams('gate', gate),
          ...layoutParams('gradient', gradient),
          B,
          NH,
          S,
          L,
          tiles: tilesOf(DHQK),
          flux_tiles,
          forget,
          sigmoid: cell.sigmoid,
          accumulate,
        },
      });
    }
    if (segment.dinitial) {
      device.launch(mlstmBackwardInitialKernel, {
        buffers: { carry, flux, gradient: segment.dinitial },
        params: { B, NH, DHQK, DHHV, NC, flux_tiles, sigmoid: cell.sigmoid, accumulate },
      });
    }
  } finally {
    for (const buffer of taken) arena.release(buffer);
  }
}
