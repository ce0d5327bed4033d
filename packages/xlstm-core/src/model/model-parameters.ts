import { CheckpointError, type Device, OptionError } from '@xlstm/device';
import { slstmPlainParameters } from '@xlstm/mlstm-kernels';
import { elementCount, Parameters } from '@xlstm/tensor';
import { closest } from 'fastest-levenshtein';
import type { ParameterPlan } from '../layers/parameter-plan.ts';

/** Options of a new stack or model. */
export interface NewModelOptions {
  /** Decides the random initial weights; the same seed gives the same weights. Default 0. */
  seed?: number;
}

/** A parameter on the host, in the form that safetensors files take. */
export interface ParameterTensor {
  readonly name: string;
  readonly dtype: 'F32';
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

const RECURRENT = '_recurrent_kernel_';

/** A model's parameters: initialised, read and replaced under their published names. */
export class ModelParameters {
  readonly values: Parameters;
  readonly #plans: readonly ParameterPlan[];

  constructor(device: Device, plans: readonly ParameterPlan[], { seed = 0 }: NewModelOptions) {
    if (!Number.isInteger(seed)) throw new OptionError(`seed must be an integer, got ${seed}`);
    this.#plans = plans;
    this.values = new Parameters(device, plans);
    for (const { name, shape, init } of plans) this.values.write(name, init(elementCount(shape), name, seed));
  }

  async read(): Promise<ParameterTensor[]> {
    const tensors: ParameterTensor[] = [];
    for (const { name, shape } of this.#plans) {
      tensors.push({ name, dtype: 'F32', shape, data: await this.values.read(name) });
    }
    return tensors;
  }

  write(tensors: Iterable<Omit<ParameterTensor, 'dtype'>>): void {
    const given = plainLayout(tensors);
    const known = new Map(this.#plans.map((plan) => [plan.name, plan]));
    for (const [name, { shape, data }] of given) {
      const plan = known.get(name);
      if (!plan) {
        throw new CheckpointError(
          `writeWeights: the model has no ${name}; the nearest is ${closest(name, [...known.keys()])}`,
        );
      }
      if (`${plan.shape}` !== `${shape}` || data.length !== elementCount(shape)) {
        throw new CheckpointError(
          `writeWeights: ${name} must be [${plan.shape}], got [${shape}] with ${data.length} elements; the configuration is another one`,
        );
      }
    }
    const missing = this.#plans.filter(({ name }) => !given.has(name)).map(({ name }) => name);
    if (missing.length > 0)
      throw new CheckpointError(`writeWeights: missing ${missing.join(', ')}; pass every parameter`);
    for (const [name, { data }] of given) this.values.write(name, data);
  }
}

type Given = Map<string, { shape: readonly number[]; data: Float32Array }>;

/**
 * Tensors by name. An sLSTM cell saved by the reference's CUDA backend has its recurrent kernel as `[NH, DH, 4·DH]` and
 * its bias by head, gate, dim; both are brought into the plain layout.
 */
function plainLayout(tensors: Iterable<Omit<ParameterTensor, 'dtype'>>): Given {
  const given: Given = new Map();
  for (const { name, shape, data } of tensors) given.set(name, { shape, data });
  for (const [name, { shape, data }] of [...given]) {
    const [NH, rows, columns] = shape;
    if (!name.endsWith(RECURRENT) || !NH || !rows || columns !== 4 * rows) continue;
    const biasName = `${name.slice(0, -RECURRENT.length)}_bias_`;
    const bias = given.get(biasName);
    if (!bias) throw new CheckpointError(`writeWeights: ${name} comes without ${biasName}; pass both`);
    for (const [which, elements, expected] of [
      [name, data.length, elementCount(shape)],
      [biasName, bias.data.length, NH * columns],
    ] as const) {
      if (elements !== expected) {
        throw new CheckpointError(
          `writeWeights: ${which} must have ${expected} elements to go with ${name} [${shape}], got ${elements}; the file is damaged`,
        );
      }
    }
    const plain = slstmPlainParameters({ NH, DH: rows }, { recurrent: data, bias: bias.data });
    given.set(name, { shape: [NH, columns, rows], data: plain.recurrent });
    given.set(biasName, { shape: bias.shape, data: plain.bias });
  }
  return given;
}
