import { Arena, type Device, type DeviceBuffer } from '@xlstm/device';
import {
  headMajor,
  type MlstmBackward,
  type MlstmGradients,
  type MlstmInputs,
  type MlstmOptions,
  type MlstmShape,
  mlstmChunkwise,
  mlstmChunkwiseBackward,
  mlstmParallel,
  mlstmParallelBackward,
  mlstmRecurrent,
  mlstmSequence,
  mlstmStateLength,
  readMlstmState,
} from '@xlstm/mlstm-kernels';
import { CaseError, type CaseFields, sizeField } from '../golden-case.ts';
import type { GoldenTensors } from '../golden-tensors.ts';
import type { DeviceKindOfCase, Job } from '../job.ts';
import { failure, type Memory, measureFloats, measureMemory, measureScaled, shapeMismatch } from '../measure.ts';
import { CELL_GRADIENT, CELL_OUTPUT } from '../tolerances.ts';

interface Form {
  name: string;
  run(arena: Arena, shape: MlstmShape, inputs: MlstmInputs, options: MlstmOptions): void;
  /** Where the form has one; gradients are then held to the vectors too. */
  backward?: MlstmBackward;
}

/** Every form of the cell is held to the same vectors; chunks of several sizes put their borders at other steps. */
const FORMS: readonly Form[] = [
  { name: 'recurrent', run: (arena, shape, inputs, options) => mlstmRecurrent(arena.device, shape, inputs, options) },
  ...[32, 64, 128].map((chunkSize) => ({
    name: `chunkwise ${chunkSize}`,
    run: (arena: Arena, shape: MlstmShape, inputs: MlstmInputs, options: MlstmOptions) =>
      mlstmChunkwise(arena, shape, inputs, { ...options, chunkSize }),
    backward: ((arena, shape, inputs, gradients, options) =>
      mlstmChunkwiseBackward(arena, shape, inputs, gradients, { ...options, chunkSize })) satisfies MlstmBackward,
  })),
  { name: 'parallel', run: mlstmParallel, backward: mlstmParallelBackward },
  { name: 'sequence', run: mlstmSequence },
];

const SEQUENCES = ['q', 'k', 'v', 'i', 'f'] as const;
const INITIAL = ['c_initial', 'n_initial', 'm_initial'] as const;
const INPUTS: readonly string[] = [...SEQUENCES, ...INITIAL, 'dh'];
const OUTPUTS = ['h', 'c_last', 'n_last', 'm_last'] as const;
const GRADIENTS = ['dq', 'dk', 'dv', 'di', 'df', 'dc_initial', 'dn_initial', 'dm_initial'] as const;

function optionsOf(fields: CaseFields): MlstmOptions {
  const { gate = 'exp', normalize = true, eps = 1e-6 } = fields;
  if ((gate !== 'exp' && gate !== 'sigmoid') || typeof normalize !== 'boolean' || typeof eps !== 'number') {
    throw new CaseError(
      `case.json: gate must be "exp" or "sigmoid", normalize true or false and eps a number, got ${JSON.stringify({ gate, normalize, eps })}`,
    );
  }
  return { gate, normalize, eps };
}

/** The shapes of all tensors of a cell, by their names in the file. */
function shapesOf({ B, NH, S, DHQK, DHHV }: MlstmShape): Record<string, readonly number[]> {
  const key = [B, NH, S, DHQK];
  const value = [B, NH, S, DHHV];
  const gate = [B, NH, S];
  const state = { c: [B, NH, DHQK, DHHV], n: [B, NH, DHQK], m: [B, NH, 1] };
  return {
    ...{ q: key, k: key, v: value, i: gate, f: gate, h: value },
    ...{ dq: key, dk: key, dv: value, di: gate, df: gate, dh: value },
    ...{ dc_initial: state.c, dn_initial: state.n, dm_initial: state.m },
    ...{ c_initial: state.c, n_initial: state.n, m_initial: state.m },
    ...{ c_last: state.c, n_last: state.n, m_last: state.m },
  };
}

interface Outputs {
  h: Float32Array;
  last: Memory;
  /** By name, where the form has a backward and the case a dh. */
  gradients?: Readonly<Record<(typeof GRADIENTS)[number], Float32Array>>;
}

/** The buffers of one case, uploaded once; each form gets a fresh state and an output full of NaN. */
class Cell {
  readonly #device: Device;
  readonly #shape: MlstmShape;
  readonly #options: MlstmOptions;
  readonly #initial: readonly Float32Array[];
  readonly #dh: DeviceBuffer | undefined;
  readonly #inputs: Readonly<Record<(typeof SEQUENCES)[number], DeviceBuffer>>;

  constructor(
    device: Device,
    shape: MlstmShape,
    options: MlstmOptions,
    data: Readonly<Record<(typeof SEQUENCES)[number], Float32Array>>,
    initial: readonly Float32Array[],
    dh: Float32Array | undefined,
  ) {
    this.#device = device;
    this.#shape = shape;
    this.#options = options;
    this.#initial = initial;
    const upload = (name: (typeof SEQUENCES)[number]) =>
      device.from('fp32', data[name], { owner: 'conformance', label: name });
    this.#inputs = { q: upload('q'), k: upload('k'), v: upload('v'), i: upload('i'), f: upload('f') };
    this.#dh = dh && device.from('fp32', dh, { owner: 'conformance', label: 'dh' });
  }

  async compute(form: Form): Promise<Outputs> {
    const shape = this.#shape;
    const { B, NH, S, DHQK, DHHV } = shape;
    const device = this.#device;
    const arena = new Arena(device, 'conformance');
    try {
      const state = arena.alloc('fp32', mlstmStateLength(shape), 'state');
      device.clear(state);
      let offset = 0;
      for (const plane of this.#initial) {
        device.upload(state, plane, offset);
        offset += plane.length;
      }
      const operand = (buffer: DeviceBuffer, width: number) => ({ buffer, layout: headMajor({ NH, S }, width) });
      const output = (width: number, label: string) => {
        const buffer = arena.alloc('fp32', B * NH * S * width, label);
        device.upload(buffer, new Float32Array(buffer.length).fill(Number.NaN));
        return operand(buffer, width);
      };
      const h = output(DHHV, 'h');
      const backward = this.#dh && form.backward;
      const kept = backward && { readout: output(2, 'readout').buffer, initial: arena.alloc('fp32', state.length) };
      if (kept) device.copy(state, kept.initial);
      const { q, k, v, i, f } = this.#inputs;
      const inputs = {
        q: operand(q, DHQK),
        k: operand(k, DHQK),
        v: operand(v, DHHV),
        i: operand(i, 1),
        f: operand(f, 1),
        h,
      };
      form.run(arena, shape, { ...inputs, state, ...(kept && { readout: kept.readout }) }, this.#options);
      const outputs: Outputs = {
        h: (await device.read(h.buffer)) as Float32Array,
        last: await readMlstmState(device, state, shape),
      };
      if (!kept || !backward || !this.#dh) return outputs;
      const gradients: MlstmGradients = {
        dq: output(DHQK, 'dq'),
        dk: output(DHQK, 'dk'),
        dv: output(DHHV, 'dv'),
        di: output(1, 'di'),
        df: output(1, 'df'),
        dinitial: state,
      };
      backward(arena, shape, { ...inputs, ...kept, dh: operand(this.#dh, DHHV) }, gradients, this.#options);
      const read = async (name: 'dq' | 'dk' | 'dv' | 'di' | 'df') =>
        (await device.read(gradients[name].buffer)) as Float32Array;
      const started = await readMlstmState(device, state, shape);
      return {
        ...outputs,
        gradients: {
          ...{ dq: await read('dq'), dk: await read('dk'), dv: await read('dv') },
          ...{ di: await read('di'), df: await read('df') },
          ...{ dc_initial: started.c, dn_initial: started.n, dm_initial: started.m },
        },
      };
    } finally {
      arena.dispose();
    }
  }

  dispose(): void {
    for (const buffer of Object.values(this.#inputs)) buffer.dispose();
    this.#dh?.dispose();
  }
}

/** The expected memory; planes that the file lacks are not compared. */
async function expectedMemory(tensors: GoldenTensors): Promise<Memory | undefined> {
  const names = ['c_last', 'n_last', 'm_last'].filter((name) => tensors.has(name));
  if (names.length === 0) return undefined;
  return {
    c: await tensors.floats('c_last'),
    n: await tensors.floats('n_last'),
    m: await tensors.floats('m_last'),
  };
}

async function reportForms(
  job: Job,
  device: Device,
  tensors: GoldenTensors,
  outputs: readonly string[],
): Promise<void> {
  const { fields } = job.input;
  const shape: MlstmShape = {
    B: sizeField(fields, 'B'),
    NH: sizeField(fields, 'NH'),
    S: sizeField(fields, 'S'),
    DHQK: sizeField(fields, 'DHQK'),
    DHHV: sizeField(fields, 'DHHV'),
  };
  const options = optionsOf(fields);
  const shapes = shapesOf(shape);
  const read = (name: string) => tensors.floatsOf(name, shapes[name]!);
  const data = { q: await read('q'), k: await read('k'), v: await read('v'), i: await read('i'), f: await read('f') };
  const initial: Float32Array[] = [];
  if (INITIAL.some((name) => tensors.has(name))) for (const name of INITIAL) initial.push(await read(name));
  const expectedH = tensors.has('h') ? await tensors.floats('h') : undefined;
  const memory = await expectedMemory(tensors);

  const dh = tensors.has('dh') ? await read('dh') : undefined;
  const expected = new Map<string, Float32Array>();
  for (const name of GRADIENTS) if (dh && tensors.has(name)) expected.set(name, await tensors.floats(name));

  const cell = new Cell(device, shape, options, data, initial, dh);
  try {
    for (const form of FORMS) {
      const named = (name: string) => `${name} (${form.name})`;
      const ofForm = form.backward ? [...outputs, ...expected.keys()] : outputs;
      await job.attempt(ofForm.map(named), async () => {
        const { h, last, gradients } = await cell.compute(form);
        const planes = memory && measureMemory(last, memory);
        for (const name of ofForm) {
          const mismatch = shapeMismatch(shapes[name]!, tensors.shape(name));
          if (mismatch) job.report(named(name), mismatch);
          else if (name === 'h') job.report(named(name), measureFloats(h, expectedH ?? [], CELL_OUTPUT));
          else if (gradients && expected.has(name)) {
            const computed = gradients[name as (typeof GRADIENTS)[number]];
            job.report(named(name), measureScaled(computed, expected.get(name)!, CELL_GRADIENT));
          } else {
            const plane = name.slice(0, 1) as keyof Memory;
            job.report(named(name), planes ? planes[plane] : failure(`${name} is missing`));
          }
        }
      });
    }
  } finally {
    cell.dispose();
  }
}

async function runMlstm(job: Job, device: Device, tensors: GoldenTensors): Promise<void> {
  const outputs = OUTPUTS.filter((name) => tensors.has(name));
  await job.attempt(outputs, () => reportForms(job, device, tensors, outputs));
}

/** The mLSTM cell in all its forms, and its gradients in those that have a backward. */
export const mlstmCell: DeviceKindOfCase = {
  runsOn: 'device',
  isInput: (name) => INPUTS.includes(name),
  run: runMlstm,
};
