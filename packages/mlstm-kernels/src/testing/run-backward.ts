import { Arena, type Device, type DeviceBuffer } from '@xlstm/device';
import type { MlstmBackwardInputs, MlstmGradients } from '../backward-inputs.ts';
import type { MlstmOptions } from '../inputs.ts';
import { cellParams } from '../inputs.ts';
import { headMajor, type Operand } from '../layout.ts';
import { chunkSizeOf } from '../ops/chunks.ts';
import { mlstmChunkwise } from '../ops/mlstm-chunkwise.ts';
import { backwardInSegments, mlstmChunkwiseBackward } from '../ops/mlstm-chunkwise-backward.ts';
import { mlstmParallel } from '../ops/mlstm-parallel.ts';
import { mlstmParallelBackward } from '../ops/mlstm-parallel-backward.ts';
import type { MlstmBackward, MlstmKernel } from '../registry.ts';
import type { MlstmShape } from '../shape.ts';
import { mlstmStateLength } from '../state.ts';
import type { HostCell } from './run-cell.ts';

/** A forward form that keeps its readout, and a backward form. */
export interface BackwardForm {
  forward: MlstmKernel;
  backward: MlstmBackward;
}

function chunkwise(chunkSize: number): BackwardForm {
  return {
    forward: (arena, shape, inputs, options) => mlstmChunkwise(arena, shape, inputs, { ...options, chunkSize }),
    backward: (arena, shape, inputs, gradients, options) =>
      mlstmChunkwiseBackward(arena, shape, inputs, gradients, { ...options, chunkSize }),
  };
}

/** Chunks of 32 steps, so many at a time as fit beside two states or two chunks' scores. */
const segmented: MlstmBackward = (arena, shape, inputs, gradients, { accumulate = false, ...options } = {}) => {
  const cell = cellParams('test', options);
  const L = chunkSizeOf('test', { chunkSize: 32 });
  const bytes = 2 * Math.max(inputs.initial.byteLength, 8 * shape.B * shape.NH * L * L);
  backwardInSegments(arena, { shape, inputs, gradients, cell, accumulate, L }, bytes);
};

/** Every pair of forms; all compute the same gradients. */
export const BACKWARD_FORMS: Readonly<Record<string, BackwardForm>> = {
  'chunkwise 32': chunkwise(32),
  'chunkwise 64': chunkwise(64),
  'chunkwise 96': chunkwise(96),
  'chunkwise 256': chunkwise(256),
  'chunkwise 32 in segments': { ...chunkwise(64), backward: segmented },
  parallel: { forward: mlstmParallel, backward: mlstmParallelBackward },
  'parallel after chunkwise': { ...chunkwise(32), backward: mlstmParallelBackward },
};

/** The gradients of a cell by the names of what they are of; `initial` is C | n | m. */
export type Gradients = Readonly<Record<(typeof GRADIENTS)[number], Float32Array>>;

export const GRADIENTS = ['q', 'k', 'v', 'i', 'f', 'initial'] as const;

/** What flows back into a cell. */
export interface Upstream {
  dh: Float32Array;
  dlast?: Float32Array | undefined;
}

/** Runs forward and backward on a device; outputs start as NaN. Throws when they leave a buffer behind. */
export async function runBackward(
  device: Device,
  form: BackwardForm,
  shape: MlstmShape,
  cell: HostCell,
  { dh, dlast }: Upstream,
  options: MlstmOptions = {},
): Promise<{ gradients: Gradients; h: Float32Array; last: Float32Array }> {
  const before = JSON.stringify(device.liveBuffers());
  const made: DeviceBuffer[] = [];
  const upload = (data: Float32Array): DeviceBuffer => {
    const buffer = device.from('fp32', data);
    made.push(buffer);
    return buffer;
  };
  const operand = (data: Float32Array, width: number): Operand => ({
    buffer: upload(data),
    layout: headMajor(shape, width),
  });
  const rows = shape.B * shape.NH * shape.S;
  const poison = (width: number): Operand => operand(new Float32Array(rows * width).fill(Number.NaN), width);
  const arena = new Arena(device, 'mlstm test');
  try {
    const initial = cell.state ?? new Float32Array(mlstmStateLength(shape));
    const inputs = {
      q: operand(cell.q, shape.DHQK),
      k: operand(cell.k, shape.DHQK),
      v: operand(cell.v, shape.DHHV),
      i: operand(cell.i, 1),
      f: operand(cell.f, 1),
      h: poison(shape.DHHV),
      readout: poison(2).buffer,
    };
    const state = upload(initial);
    form.forward(arena, shape, { ...inputs, state }, options);
    const backward: MlstmBackwardInputs = {
      ...inputs,
      initial: upload(initial),
      dh: operand(dh, shape.DHHV),
      ...(dlast ? { dlast: upload(dlast) } : {}),
    };
    const gradients: Required<MlstmGradients> = {
      dq: poison(shape.DHQK),
      dk: poison(shape.DHQK),
      dv: poison(shape.DHHV),
      di: poison(1),
      df: poison(1),
      dinitial: upload(new Float32Array(initial.length).fill(Number.NaN)),
    };
    form.backward(arena, shape, backward, gradients, options);
    const read = async (buffer: DeviceBuffer) => (await device.read(buffer)) as Float32Array;
    const result = {
      gradients: {
        q: await read(gradients.dq.buffer),
        k: await read(gradients.dk.buffer),
        v: await read(gradients.dv.buffer),
        i: await read(gradients.di.buffer),
        f: await read(gradients.df.buffer),
        initial: await read(gradients.dinitial),
      },
      h: await read(inputs.h.buffer),
      last: await read(state),
    };
    arena.trim();
    if (arena.size > 0) throw new Error(`runBackward: ${arena.size} temporaries were not released`);
    for (const buffer of made) buffer.dispose();
    const after = JSON.stringify(device.liveBuffers());
    if (after !== before) throw new Error(`runBackward: buffers left behind: ${after}, before it ${before}`);
    return result;
  } finally {
    arena.dispose();
    for (const buffer of made) buffer.dispose();
  }
}
