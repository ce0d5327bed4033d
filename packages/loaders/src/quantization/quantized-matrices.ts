import { CheckpointError } from '@xlstm/device';
import type { QuantizationGroup, QuantizedDtype } from '@xlstm/device/dtypes';
import { quoted } from '../json/quoted.ts';
import type { TensorInfo } from '../safetensors/header.ts';
import type { QuantizationBlock } from './quantization-block.ts';
import { scaleName } from './stored-dtype.ts';

/** A matrix that a checkpoint keeps as codes and scales. */
export interface QuantizedMatrix {
  /** The published name of the float matrix; the codes' own. */
  readonly name: string;
  readonly dtype: QuantizedDtype;
  readonly group: QuantizationGroup;
  /** Of the matrix that they stand for, `[N, K]`. */
  readonly shape: readonly [N: number, K: number];
  /** I8 `[N, K]` or U8 `[N, K/2]`. */
  readonly codes: TensorInfo;
  /** F16 `[N, K/group]`. */
  readonly scales: TensorInfo;
}

/** How a quantised checkpoint is kept. */
export interface Quantization extends QuantizationBlock {
  /** By the published name of the matrix. */
  readonly matrices: ReadonlyMap<string, QuantizedMatrix>;
}

const SCALE = /^(.*\.weight)_scale$/;

/** The shape that a stored tensor stands for: of 4-bit codes with scales twice as wide, of all else its own. */
export function logicalShape(tensors: ReadonlyMap<string, TensorInfo>, name: string): readonly number[] | undefined {
  const info = tensors.get(name);
  if (info?.dtype !== 'U8' || info.shape.length !== 2 || !tensors.has(scaleName(name))) return info?.shape;
  return [info.shape[0]!, info.shape[1]! * 2];
}

/** Whether a stored tensor is the scales of another one. */
export function isScales(tensors: ReadonlyMap<string, TensorInfo>, name: string): boolean {
  const matrix = SCALE.exec(name)?.[1];
  return matrix !== undefined && tensors.has(matrix);
}

/**
 * Pairs codes and scales and checks them against the block.
 *
 * @throws CheckpointError that names the tensor, what was expected and what came.
 */
export function quantizationOf(
  block: QuantizationBlock | undefined,
  tensors: ReadonlyMap<string, TensorInfo>,
  place: string,
): Quantization | undefined {
  const where = `openCheckpoint: ${place}`;
  if (!block) {
    for (const { name, source } of tensors.values()) {
      if (!isScales(tensors, name)) continue;
      throw new CheckpointError(
        `${where}: ${quoted(name)} of ${source.name} holds scales of quantised codes, but config.json has no quantization block to say how they are kept; take the config.json that was written with these files, or convert the float model again`,
      );
    }
    return undefined;
  }
  const matrices = new Map<string, QuantizedMatrix>();
  for (const info of tensors.values()) {
    const matrix = SCALE.exec(info.name)?.[1];
    if (matrix !== undefined) {
      requireCodes(tensors.get(matrix), info, matrix, where);
    } else if (info.dtype === 'I8' || info.dtype === 'U8') {
      matrices.set(info.name, pair(info, tensors.get(scaleName(info.name)), block, where));
    }
  }
  if (matrices.size === 0) {
    throw new CheckpointError(
      `${where}: config.json says that matrices are ${block.dtype}, but no tensor is I8 or U8; config.json and weights are of different models, convert the float model again`,
    );
  }
  return { ...block, matrices };
}

function requireCodes(codes: TensorInfo | undefined, scales: TensorInfo, name: string, where: string): void {
  if (codes && (codes.dtype === 'I8' || codes.dtype === 'U8')) return;
  throw new CheckpointError(
    `${where}: ${quoted(scales.name)} must go with I8 or U8 codes in ${quoted(name)}, got ${codes ? codes.dtype : 'no such tensor'}; the files are of different models, convert the float model again`,
  );
}

function pair(
  codes: TensorInfo,
  scales: TensorInfo | undefined,
  block: QuantizationBlock,
  where: string,
): QuantizedMatrix {
  const { name } = codes;
  const { group } = block;
  const dtype = codes.dtype === 'I8' ? 'q8' : 'q4';
  const tensor = `${where}: ${dtype} codes ${quoted(name)} [${codes.shape}] of ${codes.source.name}`;
  if (block.dtype === 'q8' && dtype === 'q4') {
    throw new CheckpointError(
      `${tensor}: expected I8, since config.json says q8, got U8; config.json and weights are of different models, convert the float model again`,
    );
  }
  const [N, width] = codes.shape;
  const K = dtype === 'q8' ? width! : width! * 2;
  if (codes.shape.length !== 2 || K === 0 || K % group !== 0) {
    throw new CheckpointError(
      `${tensor} must be rows of whole groups of ${group} (group_size in config.json), got rows of ${K}; convert the float model again`,
    );
  }
  if (!scales) {
    throw new CheckpointError(
      `${tensor} need F16 scales [${N},${K / group}] in ${quoted(scaleName(name))}, got no such tensor; a file is missing or of another model, fetch or convert it again`,
    );
  }
  const got = `${scales.dtype} [${scales.shape}]`;
  if (scales.dtype !== 'F16' || scales.shape.length !== 2 || scales.shape[0] !== N || scales.shape[1] !== K / group) {
    const theirs = K / (scales.shape[1] ?? 0);
    const hint =
      scales.dtype === 'F16' && scales.shape[0] === N && Number.isInteger(theirs)
        ? `; those are groups of ${theirs}, and group_size in config.json is ${group}: take the config.json that was written with these files`
        : '; convert the float model again';
    throw new CheckpointError(`${tensor}: ${quoted(scales.name)} must be F16 [${N},${K / group}], got ${got}${hint}`);
  }
  return { name, dtype, group, shape: [N!, K], codes, scales };
}
