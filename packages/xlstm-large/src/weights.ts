import {
  CheckpointError,
  type Device,
  type DeviceBuffer,
  DtypeError,
  GradientError,
  type WeightDtype,
} from '@xlstm/device';
import { elementCount, Tensor, type TrainableParameter, WeightMatrix } from '@xlstm/tensor';
import type { XlstmLargeConfig, XlstmLargeDims } from './config.ts';
import { matrixFormat, type ParameterTable } from './parameters.ts';

/** How one parameter is kept on the device. */
export interface ParameterReport {
  /** As in `parameterTable`: `blocks.3.qkvo`. */
  name: string;
  shape: readonly number[];
  dtype: WeightDtype;
  /** Elements of a row that share a scale; 0 where the parameter is not quantised. */
  group: number;
  /** Buffers that its rows are split over. */
  parts: number;
  byteLength: number;
}

/**
 * A model's parameters on a device, by name (see `parameterTable`): vectors (norms, biases) are tensors, matrices
 * `WeightMatrix`, in whatever dtype and in as many parts as the device asks for.
 *
 * With a quantised `dtype` not every matrix has it: the embedding is q8, gates are float32, and matrices whose rows are no
 * multiple of the group are bf16. `report` says of each parameter how it is kept.
 */
export class Weights implements Disposable {
  /** What matrices are kept in where nothing speaks against it. */
  readonly dtype: WeightDtype;
  readonly config: XlstmLargeConfig;
  readonly dims: XlstmLargeDims;
  /** Which model this is, whatever dtype it was loaded in; 16 hexadecimal digits. */
  readonly fingerprint: string;
  readonly #parameters: ReadonlyMap<string, Tensor | WeightMatrix>;
  #trainable: readonly TrainableParameter[] | undefined;

  constructor(
    config: XlstmLargeConfig,
    dims: XlstmLargeDims,
    dtype: WeightDtype,
    parameters: ReadonlyMap<string, Tensor | WeightMatrix>,
    fingerprint: string,
  ) {
    this.config = config;
    this.dims = dims;
    this.dtype = dtype;
    this.#parameters = parameters;
    this.fingerprint = fingerprint;
  }

  /**
   * The vector of that name, or the matrix where it is a float one in one piece.
   *
   * @throws CheckpointError when the model has none; DtypeError for a matrix that is quantised or in parts, which `matrix`
   * gives
   */
  get(name: string): Tensor {
    return this.find(name) ?? this.#missing(name);
  }

  /** As `get`, `undefined` when the model has no parameter of that name. */
  find(name: string): Tensor | undefined {
    const parameter = this.#parameters.get(name);
    if (!(parameter instanceof WeightMatrix)) return parameter;
    if (parameter.tensor) return parameter.tensor;
    throw new DtypeError(
      `weights: ${name} [${parameter.shape}] is kept in ${parameter.dtype} in ${parameter.parts.length} parts, which is no tensor; use weights.matrix("${name}"), or load the model with dtype fp32, fp16 or bf16 on a device that binds it whole`,
    );
  }

  /** The matrix of that name. @throws CheckpointError when the model has none */
  matrix(name: string): WeightMatrix {
    return this.findMatrix(name) ?? this.#missing(name);
  }

  /** The matrix of that name, if the model has it. */
  findMatrix(name: string): WeightMatrix | undefined {
    const parameter = this.#parameters.get(name);
    return parameter instanceof WeightMatrix ? parameter : undefined;
  }

  #missing(name: string): never {
    throw new CheckpointError(`weights: no parameter is called ${name}`);
  }

  /** How each parameter is kept. */
  get report(): readonly ParameterReport[] {
    return [...this.#parameters].map(([name, parameter]) => {
      const { shape, byteLength } = parameter;
      return parameter instanceof WeightMatrix
        ? { name, shape, dtype: parameter.dtype, group: parameter.group, parts: parameter.parts.length, byteLength }
        : { name, shape, dtype: parameter.dtype as WeightDtype, group: 0, parts: 1, byteLength };
    });
  }

  /**
   * Every parameter with its gradient, allocated at the first call. Matrices decay, but for the embedding.
   *
   * @throws DtypeError unless the weights are fp32; GradientError when the device holds a matrix only in parts.
   */
  parameters(device: Device): readonly TrainableParameter[] {
    if (this.dtype !== 'fp32') {
      throw new DtypeError(
        `parameters: training needs fp32 weights, these are ${this.dtype}; load the model with dtype fp32`,
      );
    }
    this.#trainable ??= this.#withGradients(device);
    return this.#trainable;
  }

  #withGradients(device: Device): readonly TrainableParameter[] {
    const tensors = [...this.#parameters].map(([name, parameter]) => {
      const tensor = parameter instanceof WeightMatrix ? parameter.tensor : parameter;
      if (tensor) return [name, tensor] as const;
      throw new GradientError(
        `parameters: ${name} [${parameter.shape}] is in parts, since ${device.name} binds at most ${device.maxBufferBytes} bytes, and has no gradient; train on a device that binds it whole`,
      );
    });
    const made: DeviceBuffer[] = [];
    try {
      return tensors.map(([name, value]) => {
        const options = { owner: 'weights', label: `gradient of ${name}` };
        const buffer = device.alloc('fp32', value.buffer.length, options);
        made.push(buffer);
        const decay = value.shape.length > 1 && name !== 'embedding';
        return { name, value, gradient: new Tensor(buffer, value.shape), decay };
      });
    } catch (error) {
      for (const buffer of made) buffer.dispose();
      throw error;
    }
  }

  /** Bytes on the device. */
  get byteLength(): number {
    let bytes = 0;
    for (const parameter of this.#parameters.values()) bytes += parameter.byteLength;
    return bytes;
  }

  dispose(): void {
    disposeParameters(this.#parameters);
    for (const { gradient } of this.#trainable ?? []) gradient.buffer.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Gives the buffers of parameters back. */
export function disposeParameters(parameters: ReadonlyMap<string, Tensor | WeightMatrix>): void {
  for (const parameter of parameters.values()) {
    if (parameter instanceof WeightMatrix) parameter.dispose();
    else parameter.buffer.dispose();
  }
}

/**
 * Allocates every parameter of a table, zeroed; matrices in as few parts as the device binds. All are released again when
 * one does not fit.
 */
export function allocateParameters(
  device: Device,
  table: ParameterTable,
  dtype: WeightDtype,
  group?: number,
): Map<string, Tensor | WeightMatrix> {
  const parameters = new Map<string, Tensor | WeightMatrix>();
  try {
    for (const plan of table.parameters) {
      const { name, shape } = plan;
      const [rows, cols] = shape;
      if (rows !== undefined && cols !== undefined) {
        parameters.set(name, WeightMatrix.allocate(device, name, matrixFormat(plan, dtype, group), [rows, cols]));
      } else {
        const buffer = device.alloc('fp32', elementCount(shape), { owner: 'weights', label: name });
        parameters.set(name, new Tensor(buffer, shape));
      }
    }
  } catch (error) {
    disposeParameters(parameters);
    throw error;
  }
  return parameters;
}
