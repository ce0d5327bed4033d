import { CheckpointError, DtypeError } from '@xlstm/device';
import {
  encodeFromFloat32,
  type FloatDtype,
  type QuantizationGroup,
  type QuantizedDtype,
  quantizeRows,
  type WeightDtype,
} from '@xlstm/device/dtypes';
import { quoted } from '../json/quoted.ts';
import type { TensorPlan } from '../safetensors/layout.ts';
import type { SafetensorsDtype } from '../safetensors/safetensors-dtype.ts';
import { scaleName } from './stored-dtype.ts';
import { type StoredWeights, streamWeight, weightShape } from './stream-weights.ts';

/** Bytes of float32 that are converted at a time; a multiple of every group, so that pieces end where groups do. */
const PIECE_BYTES = 4 * 1024 * 1024;

const FLOATS: Readonly<Record<FloatDtype, SafetensorsDtype>> = { fp32: 'F32', fp16: 'F16', bf16: 'BF16' };

/** The tensors that a weight becomes in `dtype`: one, or codes and scales. */
export function convertedTensors(
  name: string,
  shape: readonly number[],
  dtype: WeightDtype,
  group: QuantizationGroup,
): readonly TensorPlan[] {
  if (dtype !== 'q8' && dtype !== 'q4') return [{ name, dtype: FLOATS[dtype], shape }];
  const [N, K] = shape as [number, number];
  const codes: TensorPlan =
    dtype === 'q8' ? { name, dtype: 'I8', shape: [N, K] } : { name, dtype: 'U8', shape: [N, K / 2] };
  return [codes, { name: scaleName(name), dtype: 'F16', shape: [N, K / group] }];
}

/** A part of a weight on its way. */
export interface ConvertedPiece {
  readonly elementOffset: number;
  /** As the source has it: valid until the next piece is asked for. */
  readonly values: Float32Array;
  /** What follows in each of `convertedTensors`, in their order. */
  readonly data: readonly ArrayBufferView[];
}

/**
 * A weight converted piece by piece, some megabytes at a time however large it is. Since a group never spans pieces, the
 * result is that of the whole at once.
 *
 * @throws CheckpointError that names the tensor for values that the dtype cannot hold; and as `streamWeight`.
 */
export async function* convertedPieces(
  checkpoint: StoredWeights,
  name: string,
  dtype: WeightDtype,
  group: QuantizationGroup,
  signal?: AbortSignal,
): AsyncGenerator<ConvertedPiece> {
  const isQuantized = dtype === 'q8' || dtype === 'q4';
  const convert = isQuantized ? groupsTo(name, dtype, group) : floatsTo(name, dtype);
  if (isQuantized && (weightShape(checkpoint, name)?.[1] ?? 0) % group !== 0) {
    throw new CheckpointError(
      `convert: ${quoted(name)} has rows that are no whole groups of ${group}; keep it in bf16`,
    );
  }
  for await (const { elementOffset, data } of streamWeight(checkpoint, name, 'fp32', {
    pieceBytes: PIECE_BYTES,
    signal,
  })) {
    yield { elementOffset, values: data, data: convert(data) };
  }
}

function floatsTo(name: string, dtype: FloatDtype): (values: Float32Array) => readonly ArrayBufferView[] {
  return (values) => {
    if (dtype === 'fp32') return [values];
    const halves = encodeFromFloat32(values, dtype);
    if (dtype === 'fp16') {
      for (let at = 0; at < halves.length; at++) {
        if ((halves[at]! & 0x7c00) !== 0x7c00) continue;
        throw new CheckpointError(
          `convert: ${quoted(name)} must fit fp16's range of ±65504, got ${values[at]}; convert to bf16 or fp32`,
        );
      }
    }
    return [halves];
  };
}

function groupsTo(
  name: string,
  dtype: QuantizedDtype,
  group: QuantizationGroup,
): (values: Float32Array) => readonly ArrayBufferView[] {
  return (values) => {
    try {
      // A piece may begin in the middle of a row, at a group's beginning: as rows of one group each it is the same.
      const { codes, scales } = quantizeRows(values, group, dtype, group);
      return [codes, scales];
    } catch (cause) {
      if (!(cause instanceof DtypeError)) throw cause;
      throw new CheckpointError(`convert: ${quoted(name)} cannot be kept in ${dtype}: ${cause.message}`, { cause });
    }
  };
}
