import { CheckpointError, OptionError } from '@xlstm/device';
import { dequantizeRows, encodeFromFloat32, type FloatDtype, type QuantizedRows } from '@xlstm/device/dtypes';
import { readInto } from '../byte-source/byte-source.ts';
import { quoted } from '../json/quoted.ts';
import type { TensorInfo } from '../safetensors/header.ts';
import {
  type FloatArray,
  type StreamTensorOptions,
  streamTensor,
  type TensorPiece,
} from '../tensor-stream/stream-tensor.ts';
import { logicalShape, type Quantization, type QuantizedMatrix } from './quantized-matrices.ts';

/** Whole rows of a quantised matrix, from `firstRow` on. */
export interface QuantizedPiece extends QuantizedRows {
  readonly firstRow: number;
}

/** What of an open checkpoint says where its weights are. */
export interface StoredWeights {
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly quantization?: Quantization | undefined;
}

const DEFAULT_PIECE_BYTES = 4 * 1024 * 1024;

/**
 * The shape of a weight by its published name, whatever it is stored in: of a quantised matrix that of the matrix, `[N, K]`.
 * `undefined` where there is none.
 */
export function weightShape(checkpoint: StoredWeights, name: string): readonly number[] | undefined {
  return logicalShape(checkpoint.tensors, name);
}

/**
 * A weight's elements in order, as floats, whatever it is stored in; quantised ones are multiplied out and rounded once.
 *
 * @throws CheckpointError where there is no such tensor; and as `streamTensor`.
 * @example
 * for await (const { elementOffset, data } of streamWeight(checkpoint, 'lm_head.weight', 'bf16')) upload(data, elementOffset);
 */
export function streamWeight<D extends FloatDtype>(
  checkpoint: StoredWeights,
  name: string,
  dtype: D,
  options: StreamTensorOptions = {},
): AsyncIterable<TensorPiece<D>> {
  const matrix = checkpoint.quantization?.matrices.get(name);
  if (matrix) return dequantized(matrix, dtype, options);
  const info = checkpoint.tensors.get(name);
  if (!info) {
    throw new CheckpointError(
      `streamWeight: the checkpoint has no tensor ${quoted(name)}; the file is incomplete or of another model`,
    );
  }
  return streamTensor(info, dtype, options);
}

/**
 * A quantised matrix's rows in order, codes and scales as they are stored, in pieces of about 4 MiB and at least a row.
 * Every piece is its own memory.
 *
 * @throws OptionError for `pieceBytes` below 8; what the source throws; `signal.reason` when aborted.
 * @example
 * for await (const { firstRow, codes, scales } of streamQuantized(matrix)) upload(firstRow, codes, scales);
 */
export function streamQuantized(
  matrix: QuantizedMatrix,
  options: StreamTensorOptions = {},
): AsyncIterable<QuantizedPiece> {
  const pieceBytes = options.pieceBytes ?? DEFAULT_PIECE_BYTES;
  if (!Number.isSafeInteger(pieceBytes) || pieceBytes < 8) {
    throw new OptionError(`streamQuantized: pieceBytes must be an integer of 8 or more, got ${pieceBytes}`);
  }
  return rowsOf(matrix, pieceBytes, options.signal);
}

async function* rowsOf(
  { shape: [N, K], codes, scales, group }: QuantizedMatrix,
  pieceBytes: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<QuantizedPiece> {
  if (N === 0) return;
  const rowBytes = codes.byteLength / N;
  const rowScales = K / group;
  const most = Math.max(1, Math.floor(pieceBytes / (rowBytes + 2 * rowScales)));
  for (let firstRow = 0; firstRow < N; firstRow += most) {
    signal?.throwIfAborted();
    const rows = Math.min(most, N - firstRow);
    const piece = { codes: new Uint32Array((rows * rowBytes) / 4), scales: new Uint16Array(rows * rowScales) };
    await readInto(codes.source, codes.offset + firstRow * rowBytes, new Uint8Array(piece.codes.buffer), signal);
    const scaleBytes = new Uint8Array(piece.scales.buffer);
    await readInto(scales.source, scales.offset + firstRow * rowScales * 2, scaleBytes, signal);
    yield { firstRow, ...piece };
  }
}

async function* dequantized<D extends FloatDtype>(
  matrix: QuantizedMatrix,
  dtype: D,
  options: StreamTensorOptions,
): AsyncGenerator<TensorPiece<D>> {
  const { dtype: stored, group } = matrix;
  const K = matrix.shape[1];
  for await (const { firstRow, ...rows } of streamQuantized(matrix, options)) {
    const values = dequantizeRows(rows, K, stored, group);
    const data = (dtype === 'fp32' ? values : encodeFromFloat32(values, dtype)) as FloatArray<D>;
    yield { elementOffset: firstRow * K, data };
  }
}
