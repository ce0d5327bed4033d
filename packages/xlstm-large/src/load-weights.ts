import {
  CheckpointError,
  type Device,
  type FloatDtype,
  isQuantizedDtype,
  type QuantizedDtype,
  type WeightDtype,
} from '@xlstm/device';
import { elementCount, type Tensor, WeightMatrix } from '@xlstm/tensor';
import type { XlstmLargeConfig } from './config.ts';
import { Fingerprint } from './fingerprint.ts';
import { MatrixWriter } from './matrix-writer.ts';
import { countParameters, planParameters, type TensorPlace } from './parameters.ts';
import type { WeightSource } from './weight-source.ts';
import { allocateParameters, disposeParameters, Weights } from './weights.ts';

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
  /** What the matrices are kept in; `parameterDtype` says which stay higher with q8 and q4. */
  dtype: WeightDtype;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: LoadProgress) => void) | undefined;
}

/** After this much has been uploaded, wait for the device, so that its staging memory stays small. */
const SYNC_BYTES = 32 * 1024 * 1024;

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

/** Waits for the device now and then while weights are uploaded. */
class Uploads {
  readonly #device: Device;
  #bytes = 0;

  constructor(device: Device) {
    this.#device = device;
  }

  async add(bytes: number): Promise<void> {
    this.#bytes += bytes;
    if (this.#bytes < SYNC_BYTES) return;
    await this.#device.sync();
    this.#bytes = 0;
  }
}

/** What loading one tensor needs. */
interface Loading {
  device: Device;
  source: WeightSource;
  uploads: Uploads;
  fingerprint: Fingerprint;
  signal: AbortSignal | undefined;
}

/** A tensor's float values from the source, through the fingerprint, to `write`. */
async function loadFloats(
  { source, uploads, fingerprint, signal }: Loading,
  { name, shape }: TensorPlace,
  dtype: FloatDtype,
  write: (data: Float32Array | Uint16Array, element: number) => void,
): Promise<void> {
  let next = 0;
  for await (const { elementOffset, data } of source.stream(name, dtype, signal)) {
    signal?.throwIfAborted();
    if (elementOffset !== next) {
      throw new CheckpointError(`loadWeights: ${name}: expected element ${next} next, got ${elementOffset}`);
    }
    if (dtype === 'fp16') assertFiniteHalves(name, data);
    fingerprint.piece(data, elementOffset);
    write(data, elementOffset);
    next += data.length;
    await uploads.add(data.byteLength);
  }
  const expected = elementCount(shape);
  if (next !== expected) {
    throw new CheckpointError(`loadWeights: ${name}: expected ${expected} elements, got ${next}`);
  }
}

/** A matrix's rows into a quantised parameter: as they are stored where that is what is wanted, else quantised here. */
async function loadQuantized(
  loading: Loading,
  place: TensorPlace,
  writer: MatrixWriter,
  dtype: QuantizedDtype,
): Promise<void> {
  const { source, uploads, signal } = loading;
  const { name, shape } = place;
  const stored = source.streamQuantized?.(name, dtype, writer.matrix.group, signal);
  if (!stored) {
    await loadFloats(loading, place, 'fp32', (data) => writer.quantize(name, data as Float32Array));
    writer.flush(name);
    return;
  }
  if (source.fingerprint === undefined) {
    throw new CheckpointError(
      `loadWeights: ${name} is stored in ${dtype}, but nothing says which model it was made from (quantization.fingerprint in config.json); convert the float checkpoint again`,
    );
  }
  let next = 0;
  for await (const { firstRow, codes, scales } of stored) {
    signal?.throwIfAborted();
    if (firstRow !== next) {
      throw new CheckpointError(`loadWeights: ${name}: expected row ${next} next, got ${firstRow}`);
    }
    next += writer.codes(name, firstRow, { codes, scales });
    await uploads.add(codes.byteLength + scales.byteLength);
  }
  if (next !== shape[0]) throw new CheckpointError(`loadWeights: ${name}: expected ${shape[0]} rows, got ${next}`);
}

async function loadTensor(loading: Loading, place: TensorPlace, target: Tensor | WeightMatrix): Promise<void> {
  const { device, fingerprint } = loading;
  const { name, shape, row } = place;
  fingerprint.name(name, shape);
  if (!(target instanceof WeightMatrix)) {
    await loadFloats(loading, place, 'fp32', (data, element) => device.upload(target.buffer, data, row + element));
    return;
  }
  const writer = new MatrixWriter(device, target, row);
  const { dtype } = target;
  if (isQuantizedDtype(dtype)) {
    await loadQuantized(loading, place, writer, dtype);
    return;
  }
  await loadFloats(loading, place, dtype, (data, element) => writer.values(data, element));
}

/**
 * Loads a model's weights onto a device, tensor by tensor and piece by piece: each is read once and the host never
 * holds more than a piece, or, while it quantises, some megabytes of whole rows. On any failure everything allocated is
 * released.
 *
 * With `q8` and `q4`, matrices are quantised in groups of 32 (`quantizeRows`) as they arrive, and what the source stores in
 * the same way already is taken as it is. The embedding is q8 with both; gates, norms and biases stay float32.
 *
 * @throws CheckpointError for missing or misshapen tensors (before anything is allocated), DtypeError for values that cannot be
 *   quantised; `signal.reason` on abort.
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
  const parameters = allocateParameters(device, table, dtype, source.group);
  const totalElements = countParameters(table);
  let loadedElements = 0;
  const fingerprint = new Fingerprint();
  const loading: Loading = { device, source, uploads: new Uploads(device), fingerprint, signal };
  try {
    for (const [index, place] of table.tensors.entries()) {
      await loadTensor(loading, place, parameters.get(place.parameter)!);
      loadedElements += elementCount(place.shape);
      onProgress?.({
        tensor: place.name,
        loadedTensors: index + 1,
        totalTensors: table.tensors.length,
        loadedElements,
        totalElements,
      });
    }
    await device.sync();
  } catch (error) {
    disposeParameters(parameters);
    throw error;
  }
  return new Weights(config, dims, dtype, parameters, source.fingerprint ?? fingerprint.digest());
}
