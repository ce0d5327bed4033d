import { Arena, type Device, type DeviceBuffer } from '@xlstm/device';
import { headMajor } from '../layout.ts';
import { slstm } from '../ops/slstm.ts';
import { slstmBackward } from '../ops/slstm-backward.ts';
import { slstmInputLayout } from '../slstm-layout.ts';
import type { SlstmBackwardOptions } from '../slstm-options.ts';
import { type SlstmShape, slstmSavedLength } from '../slstm-shape.ts';
import type { SlstmArrays } from './slstm-case-data.ts';

/** Gradients of a cell's outputs on the host: `dy [B, NH, S, DH]`, `dlast` planes y | c | n | m. */
export interface SlstmGiven {
  dy?: Float32Array;
  dlast?: Float32Array;
}

/** What a cell and its backward computed, contiguous: `y [B, NH, S, DH]`, `dx [B, S, 4, NH, DH]`. */
export interface SlstmResult {
  y: Float32Array;
  state: Float32Array;
  dx: Float32Array;
  drecurrent: Float32Array;
  dbias: Float32Array;
  dstate: Float32Array;
}

/** Runs the cell forwards and backwards on a device. Throws when it leaves a buffer behind. */
export async function runSlstm(
  device: Device,
  shape: SlstmShape,
  arrays: SlstmArrays,
  given: SlstmGiven,
  options: SlstmBackwardOptions = {},
): Promise<SlstmResult> {
  const made: DeviceBuffer[] = [];
  const upload = (data: Float32Array) => {
    const buffer = device.from('fp32', data);
    made.push(buffer);
    return buffer;
  };
  const output = (length: number) => upload(new Float32Array(length).fill(Number.NaN));
  const arena = new Arena(device, 'sLSTM test');
  try {
    const [x, recurrent, bias, state] = (['x', 'recurrent', 'bias', 'state'] as const).map((name) =>
      upload(arrays[name]),
    ) as [DeviceBuffer, DeviceBuffer, DeviceBuffer, DeviceBuffer];
    const { B, S, NH, DH } = shape;
    const y = { buffer: output(B * S * NH * DH), layout: headMajor(shape, DH) };
    const saved = output(slstmSavedLength(shape));
    const { forwardClip } = options;
    const forward = forwardClip === undefined ? {} : { forwardClip };
    slstm(
      arena,
      shape,
      { x: { buffer: x, layout: slstmInputLayout(shape) }, recurrent, bias, state, y, saved },
      forward,
    );
    const targets = [x, recurrent, bias, state].map(({ length }) => output(length)) as [
      DeviceBuffer,
      DeviceBuffer,
      DeviceBuffer,
      DeviceBuffer,
    ];
    slstmBackward(
      arena,
      shape,
      {
        ...{ recurrent, saved, y },
        dy: given.dy && { buffer: upload(given.dy), layout: y.layout },
        dlast: given.dlast && upload(given.dlast),
      },
      {
        x: { buffer: targets[0], layout: slstmInputLayout(shape) },
        recurrent: { buffer: targets[1] },
        bias: { buffer: targets[2] },
        state: { buffer: targets[3] },
      },
      options,
    );
    const read = async (buffer: DeviceBuffer) => (await device.read(buffer)) as Float32Array;
    const result = {
      y: await read(y.buffer),
      state: await read(state),
      dx: await read(targets[0]),
      drecurrent: await read(targets[1]),
      dbias: await read(targets[2]),
      dstate: await read(targets[3]),
    };
    // What is still in use cannot be trimmed.
    arena.trim();
    if (arena.size > 0) throw new Error(`runSlstm: ${arena.size} temporaries were not released`);
    return result;
  } finally {
    arena.dispose();
    for (const buffer of made) buffer.dispose();
  }
}

/** Steps `from`…`to` of a cell's inputs (`[B, S, …]` contiguous) or outputs (`[B, NH, S, DH]`). */
export function cutSteps(
  data: Float32Array,
  { S, outer }: { S: number; outer: number },
  from: number,
  to: number,
): Float32Array {
  const width = data.length / (outer * S);
  const rows = new Float32Array(outer * (to - from) * width);
  for (let row = 0; row < outer; row++) {
    rows.set(data.subarray((row * S + from) * width, (row * S + to) * width), row * (to - from) * width);
  }
  return rows;
}
