import { type Checkpoint, type StoredWeights, streamWeight } from '@xlstm/loaders';

/** How far a weight of the result is from the source's. */
export interface TensorError {
  name: string;
  /** As it is stored in the result. */
  dtype: string;
  shape: readonly number[];
  /** Root of the mean squared error over that of the values; 0 where all are alike. */
  relativeRms: number;
  /** Largest absolute error. */
  max: number;
}

/** Both streams of a weight, cut where either of them is. */
async function* sideBySide(
  a: StoredWeights,
  b: StoredWeights,
  name: string,
  signal: AbortSignal,
): AsyncGenerator<[Float32Array, Float32Array]> {
  const left = streamWeight(a, name, 'fp32', { signal })[Symbol.asyncIterator]();
  const right = streamWeight(b, name, 'fp32', { signal })[Symbol.asyncIterator]();
  let [x, y] = [new Float32Array(0), new Float32Array(0)];
  for (;;) {
    if (x.length === 0) {
      const next = await left.next();
      if (next.done) break;
      x = next.value.data;
    }
    if (y.length === 0) {
      const next = await right.next();
      if (next.done) break;
      y = next.value.data;
    }
    const length = Math.min(x.length, y.length);
    yield [x.subarray(0, length), y.subarray(0, length)];
    [x, y] = [x.subarray(length), y.subarray(length)];
  }
}

/** The error of each of the weights. Nothing is held but pieces. @param names those of the model, which both have */
export async function tensorErrors(
  source: Checkpoint,
  result: Checkpoint,
  names: readonly string[],
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): Promise<TensorError[]> {
  const errors: TensorError[] = [];
  for (const name of names) {
    const info = result.tensors.get(name)!;
    const matrix = result.quantization?.matrices.get(name);
    let [squares, norm, max] = [0, 0, 0];
    for await (const [wanted, got] of sideBySide(source, result, name, signal)) {
      for (let at = 0; at < wanted.length; at++) {
        const error = got[at]! - wanted[at]!;
        squares += error * error;
        norm += wanted[at]! ** 2;
        max = Math.max(max, Math.abs(error));
      }
    }
    onBytes(info.byteLength + (matrix?.scales.byteLength ?? 0));
    const relativeRms = squares === 0 ? 0 : Math.sqrt(squares / norm);
    errors.push({ name, dtype: matrix?.dtype ?? info.dtype, shape: matrix?.shape ?? info.shape, relativeRms, max });
  }
  return errors;
}
