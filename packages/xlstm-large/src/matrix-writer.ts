import {
  CheckpointError,
  type Device,
  type DeviceBuffer,
  DtypeError,
  isQuantizedDtype,
  type QuantizedRows,
  quantizedBits,
  quantizeRows,
} from '@xlstm/device';
import type { WeightMatrix } from '@xlstm/tensor';

/** Float elements that are gathered before they are quantised together; at least one row. */
const GATHERED_ELEMENTS = 2 ** 20;

/** Fills the rows of a matrix from `firstRow` on, a tensor's of a checkpoint, from what arrives for them, wherever they lie. */
export class MatrixWriter {
  readonly matrix: WeightMatrix;
  readonly #device: Device;
  readonly #firstRow: number;
  readonly #K: number;
  /** Rows that wait to be quantised. */
  #gathered: Float32Array<ArrayBuffer> | undefined;
  #length = 0;
  /** The tensor's row that the gathered ones begin with. */
  #row = 0;

  constructor(device: Device, matrix: WeightMatrix, firstRow: number) {
    this.#device = device;
    this.matrix = matrix;
    this.#firstRow = firstRow;
    this.#K = matrix.shape[1];
  }

  /** Float values in the matrix's own dtype, from the tensor's element `element` on. */
  values(data: Float32Array | Uint16Array, element: number): void {
    const K = this.#K;
    this.#spread(this.#firstRow * K + element, data.length, K, (buffers, from, to, at) => {
      this.#device.upload(buffers.data, data.subarray(from, to), at);
    });
  }

  /** Codes and scales of whole rows from the tensor's row `row` on; returns how many rows those are. */
  codes(name: string, row: number, { codes, scales }: QuantizedRows): number {
    const { dtype, group } = this.matrix;
    const K = this.#K;
    const words = (K * this.#bits(dtype)) / 32;
    const rows = codes.length / words;
    if (!Number.isInteger(rows) || scales.length !== (rows * K) / group) {
      throw new CheckpointError(
        `loadWeights: ${name}: expected whole rows of ${words} words of codes with ${K / group} scales each, got ${codes.length} words and ${scales.length} scales`,
      );
    }
    const firstRow = this.#firstRow + row;
    this.#spread(firstRow * words, codes.length, words, ({ data }, from, to, at) => {
      this.#device.upload(data, codes.subarray(from, to), at);
    });
    this.#spread((firstRow * K) / group, scales.length, K / group, (buffers, from, to, at) => {
      this.#device.upload(buffers.scales!, scales.subarray(from, to), at);
    });
    return rows;
  }

  /** The tensor's next float values; `flush` after the last. */
  quantize(name: string, data: Float32Array): void {
    const K = this.#K;
    this.#gathered ??= new Float32Array(K * Math.max(1, Math.floor(GATHERED_ELEMENTS / K)));
    for (let taken = 0; taken < data.length; ) {
      const count = Math.min(data.length - taken, this.#gathered.length - this.#length);
      this.#gathered.set(data.subarray(taken, taken + count), this.#length);
      this.#length += count;
      taken += count;
      if (this.#length === this.#gathered.length) this.flush(name);
    }
  }

  /** Quantises and uploads the rows gathered so far. */
  flush(name: string): void {
    const { dtype, group } = this.matrix;
    if (!this.#gathered || this.#length === 0 || !isQuantizedDtype(dtype)) return;
    const rows = this.#quantized(name, this.#gathered.subarray(0, this.#length), dtype, group);
    this.#row += this.codes(name, this.#row, rows);
    this.#length = 0;
  }

  #quantized(name: string, values: Float32Array, dtype: 'q8' | 'q4', group: number): QuantizedRows {
    try {
      return quantizeRows(values, this.#K, dtype, group);
    } catch (cause) {
      if (!(cause instanceof DtypeError)) throw cause;
      throw new CheckpointError(`loadWeights: ${name} cannot be kept in ${dtype}: ${cause.message}`, { cause });
    }
  }

  #bits(dtype: WeightMatrix['dtype']): number {
    if (!isQuantizedDtype(dtype)) throw new DtypeError(`loadWeights: codes are for q8 and q4, the matrix is ${dtype}`);
    return quantizedBits(dtype);
  }

  /**
   * Cuts elements `start…start + length` of a whole matrix with rows of `width` elements where its parts do: calls `put` with a
   * part's buffers, the range of what was given, and where in the part that goes.
   */
  #spread(
    start: number,
    length: number,
    width: number,
    put: (
      buffers: { data: DeviceBuffer; scales: DeviceBuffer | undefined },
      from: number,
      to: number,
      at: number,
    ) => void,
  ): void {
    const end = start + length;
    for (const part of this.matrix.parts) {
      for (const { partRow, row, rows } of this.matrix.runs(part)) {
        const first = Math.max(start, row * width);
        const last = Math.min(end, (row + rows) * width);
        if (first < last) put(part, first - start, last - start, partRow * width + first - row * width);
      }
    }
  }
}
