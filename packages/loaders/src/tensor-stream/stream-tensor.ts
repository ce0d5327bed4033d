import { DtypeError, OptionError } from '@xlstm/device';
import { decodeToFloat32, dtypeBytes, encodeFromFloat32, type FloatDtype } from '@xlstm/device/dtypes';
import { readInto } from '../byte-source/byte-source.ts';
import { quoted } from '../json/quoted.ts';
import type { TensorInfo } from '../safetensors/header.ts';
import { floatDtypeOf, safetensorsDtypeBytes } from '../safetensors/safetensors-dtype.ts';

/** The host array of a float dtype: 16-bit floats travel as their bits. */
export type FloatArray<D extends FloatDtype = FloatDtype> = D extends 'fp32'
  ? Float32Array<ArrayBuffer>
  : Uint16Array<ArrayBuffer>;

/** A run of a tensor's elements, in row-major order, from `elementOffset` on. */
export interface TensorPiece<D extends FloatDtype = FloatDtype> {
  readonly elementOffset: number;
  /** Valid until the next piece is asked for: its memory is used again. Upload or copy it. */
  readonly data: FloatArray<D>;
}

export interface StreamTensorOptions {
  /** How much of the file one piece covers; the default is 4 MiB. */
  readonly pieceBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const DEFAULT_PIECE_BYTES = 4 * 1024 * 1024;

/**
 * Reads a tensor of F32, F16, BF16 or F64 by pieces and converts them to `dtype` on the way, so that memory stays
 * flat however large the tensor is. Each byte is read once. The same dtype passes bit for bit; narrowing rounds to
 * nearest, ties to even, and overflows to infinity; F64 goes through float32, as in PyTorch.
 *
 * @returns pieces in order that together hold every element once; none for an empty tensor.
 * @throws at the call: DtypeError for a tensor that is not floating point or an unknown target, OptionError for
 * `pieceBytes` below 8; while reading: what the source throws, `signal.reason` when aborted.
 * @example
 * for await (const { elementOffset, data } of streamTensor(info, 'bf16')) upload(data, elementOffset * 2);
 */
export function streamTensor<D extends FloatDtype>(
  info: TensorInfo,
  dtype: D,
  options: StreamTensorOptions = {},
): AsyncIterable<TensorPiece<D>> {
  const pieceBytes = options.pieceBytes ?? DEFAULT_PIECE_BYTES;
  if (!Number.isSafeInteger(pieceBytes) || pieceBytes < 8) {
    throw new OptionError(`streamTensor: pieceBytes must be an integer of 8 or more, got ${pieceBytes}`);
  }
  const convert = converter(info, dtype);
  const sourceBytes = safetensorsDtypeBytes(info.dtype);
  return pieces(info, Math.floor(pieceBytes / sourceBytes), sourceBytes, convert, options.signal);
}

/**
 * Reads a whole tensor of F32, F16, BF16 or F64 as `dtype`; memory is that of the result and one piece.
 *
 * @returns all elements in row-major order: a Float32Array, or the bits of 16-bit floats in a Uint16Array.
 * @throws as `streamTensor`.
 * @example
 * const embedding = await loadTensor(checkpoint.tensors.get('backbone.embeddings.weight')!, 'fp32'); // [V, D]
 */
export async function loadTensor<D extends FloatDtype>(
  info: TensorInfo,
  dtype: D,
  options: { readonly signal?: AbortSignal | undefined } = {},
): Promise<FloatArray<D>> {
  const stream = streamTensor(info, dtype, options);
  const result = floatArray(dtype, info.byteLength / safetensorsDtypeBytes(info.dtype));
  if (floatDtypeOf(info.dtype) === dtype) {
    await readInto(info.source, info.offset, new Uint8Array(result.buffer), options.signal);
    return result;
  }
  for await (const { elementOffset, data } of stream) result.set(data, elementOffset);
  return result;
}

type Convert<D extends FloatDtype> = (bytes: ArrayBuffer, length: number) => FloatArray<D>;

async function* pieces<D extends FloatDtype>(
  info: TensorInfo,
  pieceElements: number,
  sourceBytes: number,
  convert: Convert<D>,
  signal: AbortSignal | undefined,
): AsyncGenerator<TensorPiece<D>> {
  const elements = info.byteLength / sourceBytes;
  // Our own buffer from offset 0: a source's view may begin at any byte, and typed arrays must be aligned.
  const buffer = new Uint8Array(Math.min(pieceElements, elements) * sourceBytes);
  for (let elementOffset = 0; elementOffset < elements; elementOffset += pieceElements) {
    signal?.throwIfAborted();
    const length = Math.min(pieceElements, elements - elementOffset);
    const offset = info.offset + elementOffset * sourceBytes;
    await readInto(info.source, offset, buffer.subarray(0, length * sourceBytes), signal);
    yield { elementOffset, data: convert(buffer.buffer, length) };
  }
}

/** The conversion of one piece. What it returns may be a view of the piece or a buffer that it keeps for the next. */
function converter<D extends FloatDtype>(info: TensorInfo, dtype: D): Convert<D> {
  if (dtype !== 'fp32' && dtype !== 'fp16' && dtype !== 'bf16') {
    throw new DtypeError(`streamTensor: dtype must be fp32, fp16 or bf16, got ${quoted(dtype)}`);
  }
  const from = floatDtypeOf(info.dtype);
  if (from === dtype) return (bytes, length) => floatArray(dtype, length, bytes);
  const widen = widener(info);
  if (dtype === 'fp32') return widen as Convert<D>;
  return (bytes, length) => encodeFromFloat32(widen(bytes, length), dtype) as FloatArray<D>;
}

function widener(info: TensorInfo): Convert<'fp32'> {
  const from = floatDtypeOf(info.dtype);
  if (from === 'fp32') return (bytes, length) => new Float32Array(bytes, 0, length);
  if (from === undefined && info.dtype !== 'F64') {
    throw new DtypeError(
      `streamTensor: tensor ${quoted(info.name)} of ${info.source.name} must be F32, F16, BF16 or F64, got ${info.dtype}; use readTensorBytes for its raw bytes`,
    );
  }
  let kept = new Float32Array(0);
  return (bytes, length) => {
    if (kept.length < length) kept = new Float32Array(length);
    if (from === undefined) kept.set(new Float64Array(bytes, 0, length));
    else decodeToFloat32(new Uint16Array(bytes, 0, length), from, kept);
    return kept.subarray(0, length);
  };
}

function floatArray<D extends FloatDtype>(dtype: D, length: number, bytes?: ArrayBuffer): FloatArray<D> {
  const storage = bytes ?? new ArrayBuffer(length * dtypeBytes(dtype));
  return (
    dtype === 'fp32' ? new Float32Array(storage, 0, length) : new Uint16Array(storage, 0, length)
  ) as FloatArray<D>;
}
