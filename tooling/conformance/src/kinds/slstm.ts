import { Arena, type Device, type DeviceBuffer } from '@xlstm/device';
import {
  headMajor,
  type SlstmShape,
  slstm,
  slstmBackward,
  slstmInputLayout,
  slstmSavedLength,
  slstmStateLength,
} from '@xlstm/mlstm-kernels';
import { sizeField } from '../golden-case.ts';
import type { GoldenTensors } from '../golden-tensors.ts';
import type { DeviceKindOfCase, Job } from '../job.ts';
import { measureFloats } from '../measure.ts';
import { CELL_OUTPUT } from '../tolerances.ts';

const INPUTS: readonly string[] = ['x', 'recurrent_kernel', 'bias', 'state_initial', 'dy'];

/** The shapes of all tensors of a cell, by their names in the file. */
function shapesOf({ B, S, NH, DH }: SlstmShape): Record<string, readonly number[]> {
  const x = [B, S, 4 * NH * DH];
  const y = [B, NH, S, DH];
  const recurrent = [NH, 4 * DH, DH];
  const bias = [4 * NH * DH];
  const state = [4, B, NH * DH];
  return {
    ...{ x, dx: x, y, dy: y, recurrent_kernel: recurrent, drecurrent_kernel: recurrent, bias, dbias: bias },
    ...{ state_initial: state, state_last: state, dstate_initial: state },
  };
}

/** The cell on a device: its inputs uploaded once, every output full of NaN before it is written. */
class Cell {
  readonly #arena: Arena;
  readonly #shape: SlstmShape;
  readonly #inputs: ReadonlyMap<string, DeviceBuffer>;

  constructor(device: Device, shape: SlstmShape, inputs: ReadonlyMap<string, Float32Array>) {
    this.#arena = new Arena(device, 'conformance');
    this.#shape = shape;
    this.#inputs = new Map([...inputs].map(([name, data]) => [name, this.#upload(data)]));
  }

  #upload(data: Float32Array): DeviceBuffer {
    const buffer = this.#arena.alloc('fp32', data.length);
    this.#arena.device.upload(buffer, data);
    return buffer;
  }

  #output(length: number): DeviceBuffer {
    return this.#upload(new Float32Array(length).fill(Number.NaN));
  }

  async #read(buffers: Readonly<Record<string, DeviceBuffer>>): Promise<Map<string, Float32Array>> {
    const read = new Map<string, Float32Array>();
    for (const [name, buffer] of Object.entries(buffers)) {
      read.set(name, (await this.#arena.device.read(buffer)) as Float32Array);
    }
    return read;
  }

  #start() {
    const shape = this.#shape;
    const { B, S, NH, DH } = shape;
    const input = (name: string) => this.#inputs.get(name)!;
    const state = this.#output(slstmStateLength(shape));
    const initial = this.#inputs.get('state_initial');
    if (initial) this.#arena.device.copy(initial, state);
    else this.#arena.device.clear(state);
    return {
      x: { buffer: input('x'), layout: slstmInputLayout(shape) },
      recurrent: input('recurrent_kernel'),
      bias: input('bias'),
      state,
      y: { buffer: this.#output(B * S * NH * DH), layout: headMajor(shape, DH) },
    };
  }

  /** Step by step, each a call of its own. */
  async steps(): Promise<Map<string, Float32Array>> {
    const inputs = this.#start();
    const { x, y } = inputs;
    for (let s = 0; s < this.#shape.S; s++) {
      const later = <L extends { offset: number; step: number }>(layout: L) => ({
        ...layout,
        offset: layout.offset + s * layout.step,
      });
      slstm(
        this.#arena,
        { ...this.#shape, S: 1 },
        {
          ...inputs,
          x: { ...x, layout: later(x.layout) },
          y: { ...y, layout: later(y.layout) },
        },
      );
    }
    return this.#read({ y: y.buffer, state_last: inputs.state });
  }

  /** The sequence in one call, and its gradients where dy is there. */
  async sequence(): Promise<Map<string, Float32Array>> {
    const shape = this.#shape;
    const inputs = this.#start();
    const { x, recurrent, bias, state, y } = inputs;
    const saved = this.#output(slstmSavedLength(shape));
    slstm(this.#arena, shape, { ...inputs, saved });
    const outputs = { y: y.buffer, state_last: state };
    const dy = this.#inputs.get('dy');
    if (!dy) return this.#read(outputs);
    const gradients = {
      dx: this.#output(x.buffer.length),
      drecurrent_kernel: this.#output(recurrent.length),
      dbias: this.#output(bias.length),
      dstate_initial: this.#output(state.length),
    };
    slstmBackward(
      this.#arena,
      shape,
      { recurrent, saved, y, dy: { buffer: dy, layout: y.layout } },
      {
        x: { buffer: gradients.dx, layout: x.layout },
        recurrent: { buffer: gradients.drecurrent_kernel },
        bias: { buffer: gradients.dbias },
        state: { buffer: gradients.dstate_initial },
      },
    );
    return this.#read({ ...outputs, ...gradients });
  }

  dispose(): void {
    this.#arena.dispose();
  }
}

async function runSlstm(job: Job, device: Device, tensors: GoldenTensors): Promise<void> {
  const { fields } = job.input;
  const shape: SlstmShape = {
    B: sizeField(fields, 'B'),
    S: sizeField(fields, 'S'),
    NH: sizeField(fields, 'num_heads'),
    DH: sizeField(fields, 'head_dim'),
  };
  const shapes = shapesOf(shape);
  const inputs = new Map<string, Float32Array>();
  for (const name of INPUTS) {
    if (tensors.has(name)) inputs.set(name, await tensors.floatsOf(name, shapes[name]!));
  }
  const cell = new Cell(device, shape, inputs);
  try {
    for (const form of ['sequence', 'steps'] as const) {
      const computed = Object.keys(shapes).filter(
        (name) =>
          !INPUTS.includes(name) && tensors.has(name) && (form === 'sequence' || ['y', 'state_last'].includes(name)),
      );
      const named = (name: string) => `${name} (${form})`;
      await job.attempt(computed.map(named), async () => {
        const outputs = await cell[form]();
        for (const name of computed) {
          const output = outputs.get(name);
          const expected = await tensors.floatsOf(name, shapes[name]!);
          if (output) job.report(named(name), measureFloats(output, expected, CELL_OUTPUT));
        }
      });
    }
  } finally {
    cell.dispose();
  }
}

/** The sLSTM cell, as a sequence with its gradients and step by step. */
export const slstmCell: DeviceKindOfCase = {
  runsOn: 'device',
  isInput: (name) => INPUTS.includes(name),
  run: (job, device, tensors) =>
    job.attempt(
      tensors.names.filter((name) => !INPUTS.includes(name)),
      () => runSlstm(job, device, tensors),
    ),
};
