import { Arena, type Device, type DeviceBuffer } from '@xlstm/device';
import type { MlstmInputs, MlstmOptions } from '../inputs.ts';
import { headMajor } from '../layout.ts';
import type { MlstmKernel } from '../registry.ts';
import type { MlstmShape } from '../shape.ts';
import { mlstmStateLength, readMlstmState } from '../state.ts';

/** A cell's operands on the host, each contiguous `[B, NH, S, width]`, and its initial state (empty by default). */
export interface HostCell {
  q: Float32Array;
  k: Float32Array;
  v: Float32Array;
  i: Float32Array;
  f: Float32Array;
  state?: Float32Array;
}

/** What a cell computed. */
export interface CellResult {
  h: Float32Array;
  state: { c: Float32Array; n: Float32Array; m: Float32Array };
}

/** Runs one form of the cell on a device. Throws when it leaves a buffer behind. */
export async function runCell(
  device: Device,
  kernel: MlstmKernel,
  shape: MlstmShape,
  cell: HostCell,
  options: MlstmOptions = {},
): Promise<CellResult> {
  const before = JSON.stringify(device.liveBuffers());
  const made: DeviceBuffer[] = [];
  const keep = (buffer: DeviceBuffer) => {
    made.push(buffer);
    return buffer;
  };
  const operand = (data: Float32Array, width: number) => ({
    buffer: keep(device.from('fp32', data)),
    layout: headMajor(shape, width),
  });
  const arena = new Arena(device, 'mlstm test');
  try {
    const h = new Float32Array(shape.B * shape.NH * shape.S * shape.DHHV).fill(Number.NaN);
    const inputs: MlstmInputs = {
      q: operand(cell.q, shape.DHQK),
      k: operand(cell.k, shape.DHQK),
      v: operand(cell.v, shape.DHHV),
      i: operand(cell.i, 1),
      f: operand(cell.f, 1),
      state: keep(device.from('fp32', cell.state ?? new Float32Array(mlstmStateLength(shape)))),
      h: operand(h, shape.DHHV),
    };
    kernel(arena, shape, inputs, options);
    const result = {
      h: (await device.read(inputs.h.buffer)) as Float32Array,
      state: await readMlstmState(device, inputs.state, shape),
    };
    // What is still in use cannot be trimmed.
    arena.trim();
    if (arena.size > 0) throw new Error(`runCell: ${arena.size} temporaries were not released`);
    for (const buffer of made) buffer.dispose();
    const after = JSON.stringify(device.liveBuffers());
    if (after !== before) throw new Error(`runCell: buffers left behind: ${after}, before it ${before}`);
    return result;
  } finally {
    arena.dispose();
    for (const buffer of made) buffer.dispose();
  }
}
