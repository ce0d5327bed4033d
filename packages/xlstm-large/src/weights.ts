import { CheckpointError, type Device, DtypeError, type FloatDtype } from '@xlstm/device';
import { elementCount, Tensor, type TrainableParameter } from '@xlstm/tensor';
import type { XlstmLargeConfig, XlstmLargeDims } from './config.ts';
import { Fingerprint } from './fingerprint.ts';
import { countParameters, type ParameterTable, parameterDtype, planParameters } from './parameters.ts';

/** A piece of a tensor: consecutive elements from `elementOffset`, in the dtype that was asked for. */
export interface WeightPiece {
  elementOffset: number;
  data: Float32Array | Uint16Array;
}

/** Where weights come from. The model knows nothing of files: a loader, a test or an initialiser provides this. */
export interface WeightSource {
  /** The shape of a tensor by its published name; `undefined` when there is none. */
  shapeOf(name: string): readonly number[] | undefined;
  /** A tensor's elements in order, converted to `dtype`, each read once. */
  stream(name: string, dtype: FloatDtype, signal?: AbortSignal): AsyncIterable<WeightPiece> | Iterable<WeightPiece>;
}

/** Progress of loading: tensors done, and elements in all. */
export interface LoadProgress {
  tensor: string;
  loadedTensors: number;
  totalTensors: number;
  loadedElements: number;
  totalElements: number;
}

/** Options of `loadWeights`. */
export interface LoadWeightsOptions {
  /** Dtype of the matrices. */
  dtype: FloatDtype;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: LoadProgress) => void) | undefined;
}

/** After this much has been uploaded, wait for the device, so that its staging memory stays small. */
const SYNC_BYTES = 32 * 1024 * 1024;

/** A model's parameters on a device, by name (see `parameterTable`). */
export class Weights implements Disposable {
  readonly dtype: FloatDtype;
  readonly config: XlstmLargeConfig;
  readonly dims: XlstmLargeDims;
  /** Which model this is, whatever dtype it was loaded in; 16 hexadecimal digits. */
  readonly fingerprint: string;
  readonly #tensors: ReadonlyMap<string, Tensor>;
  #trainable: readonly TrainableParameter[] | undefined;

  constructor(
    config: XlstmLargeConfig,
    dims: XlstmLargeDims,
    dtype: FloatDtype,
    tensors: ReadonlyMap<string, Tensor>,
    fingerprint: string,
  ) {
    this.config = config;
    this.dims = dims;
    this.dtype = dtype;
    this.#tensors = tensors;
    this.fingerprint = fingerprint;
  }

  /** The parameter of that name. @throws CheckpointError when the model has none. */
  get(name: string): Tensor {
    const tensor = this.#tensors.get(name);
    if (!tensor) throw new CheckpointError(`weights: no parameter is called ${name}`);
    return tensor;
  }

  /** The parameter of that name, if the model has it. */
  find(name: string): Tensor | undefined {
    return this.#tensors.get(name);
  }

  /**
   * Every parameter with its gradient, allocated at the first call. Matrices decay, but for the embedding.
   *
   * @throws DtypeError unless the weights are fp32.
   */
  parameters(device: Device): readonly TrainableParameter[] {
    if (this.dtype !== 'fp32') {
      throw new DtypeError(
        `parameters: training needs fp32 weights, these are ${this.dtype}; load the model with dtype fp32`,
      );
    }
    this.#trainable ??= [...this.#tensors].map(([name, value]) => ({
      name,
      value,
      gradient: new Tensor(
        device.alloc('fp32', value.buffer.length, { owner: 'weights', label: `gradient of ${name}` }),
        value.shape,
      ),
      decay: value.shape.length > 1 && name !== 'embedding',
    }));
    return this.#trainable;
  }

  /** Bytes on the device. */
  get byteLength(): number {
    let bytes = 0;
    for (const tensor of this.#tensors.values()) bytes += tensor.byteLength;
    return bytes;
  }

  dispose(): void {
    for (const { buffer } of this.#tensors.values()) buffer.dispose();
    for (const { gradient } of this.#trainable ?? []) gradient.buffer.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Allocates every parameter of a table, zeroed. All are released again when one does not fit. */
export function allocateParameters(device: Device, table: ParameterTable, dtype: FloatDtype): Map<string, Tensor> {
  const tensors = new Map<string, Tensor>();
  try {
    for (const plan of table.parameters) {
      const { name, shape } = plan;
      const options = { owner: 'weights', label: name };
      const buffer = device.alloc(parameterDtype(plan, dtype), elementCount(shape), options);
      tensors.set(name, new Tensor(buffer, shape));
    }
  } catch (error) {
    for (const { buffer } of tensors.values()) buffer.dispose();
    throw error;
  }
  return tensors;
}

/** Halves whose exponent is all ones: infinity or NaN. */
function assertFiniteHalves(name: string, data: Float32Array | Uint16Array): void {
  for (let index = 0; index < data.length; index++) {
    if ((data[index]! & 0x7c00) === 0x7c00) {
      throw new CheckpointError(
        `loadWeights: ${name} has values beyond fp16's range of ±65504 (or not finite); load with dtype bf16 or fp32`,
      );
    }
  }
}

/**
 * Loads a model's weights onto a device, tensor by tensor and piece by piece: each is read once and the host never
 * holds more than a piece. On any failure everything allocated is released.
 *
 * @throws CheckpointError for missing or misshapen tensors (before anything is allocated); `signal.reason` on abort.
 */
export async function loadWeights(
  device: Device,
  config: XlstmLargeConfig,
  source: WeightSource,
  options: LoadWeightsOptions,
): Promise<Weights> {
  const { dtype, signal, onProgress } = options;
  signal?.throwIfAborted();
  const { table, dims } = planParameters(config, (name) => source.shapeOf(name));
  const tensors = allocateParameters(device, table, dtype);
  const totalElements = countParameters(table);
  let loadedElements = 0;
  let unsynced = 0;
  const fingerprint = new Fingerprint();
  try {
    for (const [index, { name, shape, parameter, row }] of table.tensors.entries()) {
      const target = tensors.get(parameter)!;
      const start = row * (shape[1] ?? 1);
      let next = 0;
      fingerprint.name(name, shape);
      for await (const { elementOffset, data } of source.stream(name, target.dtype as FloatDtype, signal)) {
        signal?.throwIfAborted();
        if (elementOffset !== next) {
          throw new CheckpointError(`loadWeights: ${name}: expected element ${next} next, got ${elementOffset}`);
        }
        if (target.dtype === 'fp16') assertFiniteHalves(name, data);
        fingerprint.piece(data, elementOffset);
        device.upload(target.buffer, data, start + elementOffset);
        next += data.length;
        unsynced += data.byteLength;
        if (unsynced >= SYNC_BYTES) {
          await device.sync();
          unsynced = 0;
        }
      }
      const expected = elementCount(shape);
      if (next !== expected) {
        throw new CheckpointError(`loadWeights: ${name}: expected ${expected} elements, got ${next}`);
      }
      loadedElements += expected;
      onProgress?.({
        tensor: name,
        loadedTensors: index + 1,
        totalTensors: table.tensors.length,
        loadedElements,
        totalElements,
      });
    }
    await device.sync();
  } catch (error) {
    for (const { buffer } of tensors.values()) buffer.dispose();
    throw error;
  }
  return new Weights(config, dims, dtype, tensors, fingerprint.digest());
}
