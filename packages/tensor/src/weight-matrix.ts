import {
  type Device,
  type DeviceBuffer,
  dtypeBytes,
  type FloatDtype,
  GradientError,
  isQuantizedDtype,
  OutOfMemoryError,
  quantizedBits,
  quantizedLengths,
  ShapeError,
  type WeightDtype,
} from '@xlstm/device';
import type { Scope } from './scope.ts';
import { Tensor } from './tensor.ts';

/** Consecutive rows of a weight matrix in a buffer of their own. */
export interface MatrixPart {
  /** Rows in the parts before this one; with one section, the first row of the whole matrix that lies here. */
  firstRow: number;
  rows: number;
  /** `[rows, K]` fp32, fp16 or bf16; codes as u32 where the matrix is quantised (see `QuantizedRows`). */
  data: DeviceBuffer;
  /** `[rows, K / group]` fp16, where the matrix is quantised. */
  scales: DeviceBuffer | undefined;
}

/** Rows of a part that follow each other in the whole matrix as well. */
export interface MatrixRun {
  /** First row in the part's buffers. */
  partRow: number;
  /** The same row of the whole matrix. */
  row: number;
  rows: number;
}

/** What a matrix is to be kept in. */
export interface MatrixFormat {
  dtype: WeightDtype;
  /** Elements of a row that share a scale, for a quantised dtype; 0 otherwise. */
  group: number;
  /** Matrices of equal height that are stacked in it and whose rows belong together; 1 where there is only one. */
  sections: number;
}

/** Parts begin at a multiple of this many rows, or of the next that fits: the tiles of products. */
const PART_ALIGNMENTS = [64, 8, 2, 1] as const;

/** Bytes of the values or codes of one row. */
function rowBytes(dtype: WeightDtype, K: number): number {
  return isQuantizedDtype(dtype) ? (K * quantizedBits(dtype)) / 8 : K * dtypeBytes(dtype);
}

/** Bytes on a device of `rows` rows of `K` elements, scales included. */
export function matrixBytes({ dtype, group }: Pick<MatrixFormat, 'dtype' | 'group'>, rows: number, K: number): number {
  const scales = isQuantizedDtype(dtype) ? (2 * rows * K) / group : 0;
  return rows * rowBytes(dtype, K) + scales;
}

/**
 * How a matrix `[N, K]` is split where one buffer holds at most `maxBufferBytes`: rows of each part, the fewest parts of about
 * equal size.
 *
 * @throws OutOfMemoryError when not even one row of each section fits; ShapeError unless sections divide N
 */
export function splitRows(
  name: string,
  { dtype, sections }: Pick<MatrixFormat, 'dtype' | 'sections'>,
  [N, K]: readonly [number, number],
  maxBufferBytes: number,
): readonly number[] {
  if (N % sections !== 0)
    throw new ShapeError(`splitRows: ${name} has ${N} rows, which are not ${sections} equal sections`);
  const unitBytes = sections * rowBytes(dtype, K);
  const units = N / sections;
  if (units * unitBytes <= maxBufferBytes) return [N];
  const most = Math.floor(maxBufferBytes / unitBytes);
  if (most < 1) {
    throw new OutOfMemoryError(
      `alloc: ${sections} rows of "${name}" [${N}, ${K}] need ${unitBytes} bytes in ${dtype}, one buffer holds at most ${maxBufferBytes}; use a smaller dtype or another device`,
    );
  }
  const alignment = PART_ALIGNMENTS.find((rows) => rows <= most)!;
  const parts = Math.ceil(units / (Math.floor(most / alignment) * alignment));
  const step = Math.ceil(units / parts / alignment) * alignment;
  const rows: number[] = [];
  for (let unit = 0; unit < units; unit += step) rows.push(sections * Math.min(step, units - unit));
  return rows;
}

/**
 * A weight matrix `[N, K]`, output by input, as products read it: in any weight dtype, and split by rows into as many parts as
 * the device's bindings ask for. Owns its buffers.
 *
 * Where it is stacked from `sections` matrices whose rows belong together (gate and up), each part holds the same rows of each
 * of them, `[gate a…b | up a…b]`, so that one launch has both at hand; `runs` says which rows of the whole those are.
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
  /** Matrices of equal height that are stacked in it and split together. */
  readonly sections: number;
  readonly #tensor: Tensor | undefined;

  constructor(
    dtype: WeightDtype,
    shape: readonly [number, number],
    parts: readonly MatrixPart[],
    group = 0,
    sections = 1,
  ) {
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
    if (parts.some(({ rows }) => rows % sections !== 0)) {
      throw new ShapeError(
        `WeightMatrix: each part must hold as many rows of each of ${sections} sections, got parts of ${parts.map(({ rows }) => rows).join(', ')} rows`,
      );
    }
    this.dtype = dtype;
    this.shape = shape;
    this.parts = parts;
    this.group = group;
    this.sections = sections;
    const [only, ...more] = parts;
    if (only && more.length === 0 && !only.scales) this.#tensor = new Tensor(only.data, shape);
  }

  /** A float matrix in one piece. @throws ShapeError unless the tensor is a contiguous matrix */
  static of(tensor: Tensor): WeightMatrix {
    const [N, K] = tensor.shape;
    if (tensor.shape.length !== 2 || N === undefined || K === undefined || !tensor.contiguous) {
      throw new ShapeError(`WeightMatrix.of: expected a contiguous matrix [N, K], got [${tensor.shape}]`);
    }
    const part = { firstRow: 0, rows: N, data: tensor.buffer, scales: undefined };
    return new WeightMatrix(tensor.dtype as FloatDtype, [N, K], [part]);
  }

  /**
   * Allocates a matrix, zeroed, in as few parts as the device's bindings allow. Nothing stays allocated when it fails.
   *
   * @throws OutOfMemoryError when the device cannot hold or bind it
   * @example
   * ```ts
   * const head = WeightMatrix.allocate(device, 'head', { dtype: 'q4', group: 32, sections: 1 }, [50304, 4096])
   * ```
   */
  static allocate(
    device: Device,
    label: string,
    { dtype, group, sections }: MatrixFormat,
    shape: readonly [number, number],
    owner = 'weights',
  ): WeightMatrix {
    const [, K] = shape;
    const made: DeviceBuffer[] = [];
    const alloc = (kept: FloatDtype | 'u32', length: number, name: string): DeviceBuffer => {
      const buffer = device.alloc(kept, length, { owner, label: name });
      made.push(buffer);
      return buffer;
    };
    try {
      let firstRow = 0;
      const split = splitRows(label, { dtype, sections }, shape, device.maxBufferBytes);
      const parts = split.map((rows, index): MatrixPart => {
        const name = split.length === 1 ? label : `${label}, part ${index + 1} of ${split.length}`;
        const part = { firstRow, rows };
        firstRow += rows;
        if (!isQuantizedDtype(dtype)) return { ...part, data: alloc(dtype, rows * K, name), scales: undefined };
        const lengths = quantizedLengths(dtype, group, rows, K);
        const data = alloc('u32', lengths.codes, name);
        return { ...part, data, scales: alloc('fp16', lengths.scales, `scales of ${name}`) };
      });
      return new WeightMatrix(dtype, shape, parts, group, sections);
    } catch (error) {
      for (const buffer of made) buffer.dispose();
      throw error;
    }
  }

  /** The matrix as a tensor, where it is a float one in one piece: what training and views need. */
  get tensor(): Tensor | undefined {
    return this.#tensor;
  }

  /** Which rows of the whole matrix a part holds: one run for each section. */
  runs(part: MatrixPart): readonly MatrixRun[] {
    const { sections, parts, shape } = this;
    if (parts.length === 1) return [{ partRow: 0, row: 0, rows: part.rows }];
    const rows = part.rows / sections;
    return Array.from({ length: sections }, (_, section) => ({
      partRow: section * rows,
      row: (section * shape[0] + part.firstRow) / sections,
      rows,
    }));
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

/**
 * For operations on a matrix that is quantised or in parts, which have no gradient.
 *
 * @throws GradientError when one of `inputs` is being differentiated
 */
export function requireNoGradient(
  operation: string,
  matrix: WeightMatrix,
  scope: Scope,
  ...inputs: readonly (Tensor | undefined)[]
): void {
  if (!inputs.some((input) => input && scope.isDifferentiated(input))) return;
  throw new GradientError(
    `${operation}: "${matrix.parts[0]?.data.label}" [${matrix.shape}] is kept in ${matrix.dtype} in ${matrix.parts.length} parts and has no gradient; load the model with dtype fp32, on a device that binds the matrix whole`,
  );
}
