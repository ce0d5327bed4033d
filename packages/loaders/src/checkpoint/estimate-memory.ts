import { DtypeError } from '@xlstm/device';
import type { WeightDtype } from '@xlstm/device/dtypes';
import { quoted } from '../json/quoted.ts';
import { isScales, logicalShape } from '../quantization/quantized-matrices.ts';
import { keptBytes, keptDtype } from '../quantization/stored-dtype.ts';
import type { TensorInfo } from '../safetensors/header.ts';

/** Bytes that a model takes on a device. */
export interface MemoryEstimate {
  readonly parameters: number;
  /**
   * All weights: matrices in the dtype asked for; norms, biases and gates in float32. With q8 and q4 in groups of 32, scales
   * included, the embedding in q8, and matrices whose rows are no whole groups in bf16.
   */
  readonly weights: number;
  /** The past of one sequence, always float32. */
  readonly state: number;
  /** The largest single tensor, which a device's binding limit must take or which is split. */
  readonly largestTensor: number;
  /** Weights and state; work space, logits and the driver's own come on top. */
  readonly total: number;
}

const DTYPES: readonly WeightDtype[] = ['fp32', 'fp16', 'bf16', 'q8', 'q4'];

/**
 * What a model will take, from the headers of its checkpoint alone: nothing is read or allocated. Per block and head a
 * state is `C [DHQK, DHHV]`, `n [DHQK]` and `m`.
 *
 * @param checkpoint an open checkpoint, or an open safetensors file of a whole model.
 * @param dtype what the matrices will be kept in, whatever they are stored in.
 * @throws DtypeError for another dtype.
 * @example
 * const files = await resolveModel('NX-AI/xLSTM-7b', { download: false });
 * await using checkpoint = await openCheckpoint(files);
 * estimateMemory(checkpoint, 'bf16').state; // 134_481_920
 */
export function estimateMemory(
  checkpoint: { readonly tensors: ReadonlyMap<string, TensorInfo> },
  dtype: WeightDtype,
): MemoryEstimate {
  if (!(DTYPES as readonly unknown[]).includes(dtype)) {
    throw new DtypeError(`estimateMemory: dtype must be ${DTYPES.join(', ')}, got ${quoted(dtype)}`);
  }
  let parameters = 0;
  let weights = 0;
  let largestTensor = 0;
  for (const name of checkpoint.tensors.keys()) {
    if (isScales(checkpoint.tensors, name)) continue;
    const shape = logicalShape(checkpoint.tensors, name)!;
    const elements = shape.reduce((product, size) => product * size, 1);
    const bytes = keptBytes(elements, keptDtype(name, shape, dtype));
    parameters += elements;
    weights += bytes;
    largestTensor = Math.max(largestTensor, bytes);
  }
  const state = stateBytes(checkpoint.tensors);
  return { parameters, weights, state, largestTensor, total: weights + state };
}

/** Sums NH·(DHQK·DHHV + DHQK + 1) floats over the blocks; widths are told by the tensors of each mLSTM layer. */
function stateBytes(tensors: ReadonlyMap<string, TensorInfo>): number {
  let floats = 0;
  const rows = (name: string): number => tensors.get(name)?.shape[0] ?? 0;
  for (const name of tensors.keys()) {
    const layer = /^(.*\.mlstm_layer)\.out_proj\.weight$/.exec(name)?.[1];
    if (layer === undefined) continue;
    const fused = tensors.has(`${layer}.qkv_opreact.weight`);
    const heads = fused ? rows(`${layer}.ifgate_preact.bias`) / 2 : rows(`${layer}.igate_preact.bias`);
    const vDim = logicalShape(tensors, name)?.[1] ?? 0;
    const qkDim = fused ? rows(`${layer}.qkv_opreact.weight`) / 2 - vDim : rows(`${layer}.q.weight`);
    if (heads > 0) floats += (qkDim * vDim) / heads + qkDim + heads;
  }
  return floats * 4;
}
