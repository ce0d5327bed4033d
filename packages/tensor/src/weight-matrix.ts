import { type DeviceBuffer, isQuantizedDtype, quantizedLengths, ShapeError, type WeightDtype } from '@xlstm/device';
import { Tensor } from './tensor.ts';

/** Consecutive rows of a weight matrix in a buffer of their own. */
export interface MatrixPart {
  /** First row of the whole matrix that lies here. */
  firstRow: number;
  rows: number;
  /** `[rows, K]` fp32, fp16 or bf16; codes as u32 where the matrix is quantised (see `QuantizedRows`). */
  data: DeviceBuffer;
  /** `[rows, K / group]` fp16, where the matrix is quantised. */
  scales: DeviceBuffer | undefined;
}

/**
 * A weight matrix `[N, K]`, output by input, as products read it: in any weight dtype, and split by rows into as many parts as
 * the device's bindings ask for. Owns its buffers.
 *
 * @throws ShapeError when the parts do not cover the rows in order, or a buffer has another length than its part needs
 */
export class WeightMatrix implements Disposable {
  readonly dtype: WeightDtype;
  /** `[N, K]`. */
  readonly shape: readonly [number, number];
  readonly parts: readonly MatrixPart[];
  /** Elements of a row that share a scale; 0 where the matrix is not quantised. */
  readonly group: number;

  constructor(dtype: WeightDtype, shape: readonly [number, number], parts: readonly MatrixPart[], group = 0) {
    const [N, K] = shape;
    let next = 0;
    for (const { firstRow, rows, data, scales } of parts) {
      const lengths = isQuantizedDtype(dtype)
        ? quantizedLengths(dtype, group, rows, K)
        : { codes: rows * K, scales: undefined };
      if (firstRow !== next || data.length !== lengths.codes || scales?.length !== lengths.scales) {
        throw new ShapeError(
          `WeightMatrix: expected rows from ${next} with ${lengths.codes} elements and ${lengths.scales ?? 'no'} scales, got rows from ${firstRow} with ${data.length} and ${scales?.length ?? 'no'} ("${data.label}")`,
        );
      }
      next += rows;
    }
    if (next !== N) throw new ShapeError(`WeightMatrix: the parts must have ${N} rows in all, got ${next}`);
    this.dtype = dtype;
    this.shape = shape;
    this.parts = parts;
    this.group = group;
  }

  /** A float matrix in one piece. */
  static of(tensor: Tensor): WeightMatrix {
    const [N = 0, K = 0] = tensor.shape;
    const part = { firstRow: 0, rows: N, data: tensor.buffer, scales: undefined };
    return new WeightMatrix(tensor.dtype as WeightDtype, [N, K], [part]);
  }

  /** The matrix as a tensor, where it is a float one in one piece: what training and views need. */
  get tensor(): Tensor | undefined {
    const [only, ...more] = this.parts;
    return only && more.length === 0 && !only.scales ? new Tensor(only.data, this.shape) : undefined;
  }

  /** Bytes on the device. */
  get byteLength(): number {
    return this.parts.reduce((sum, { data, scales }) => sum + data.byteLength + (scales?.byteLength ?? 0), 0);
  }

  dispose(): void {
    for (const { data, scales } of this.parts) {
      data.dispose();
      scales?.dispose();
    }
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
