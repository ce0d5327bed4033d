import { DtypeError } from '@xlstm/device';
import { dtypeBytes, type FloatDtype, isFloatDtype } from '@xlstm/device/dtypes';
import { quoted } from '../json/quoted.ts';
import type { TensorInfo } from '../safetensors/header.ts';
import { safetensorsDtypeBytes } from '../safetensors/safetensors-dtype.ts';

/** Bytes that a model takes on a device. */
export interface MemoryEstimate {
  readonly parameters: number;
  /** All weights: matrices in the dtype asked for; norms, biases and gates in float32. */
  readonly weights: number;
  /** The past of one sequence, always float32. */
  readonly state: number;
  /** The largest single tensor, which a device's binding limit must take or which is split. */
  readonly largestTensor: number;
  /** Weights and state; work space, logits and the driver's own come on top. */
  readonly total: number;
}

/**
 * What a model will take, from the headers of its checkpoint alone: nothing is read or allocated. Per block and head a
 * state is `C [DHQK, DHHV]`, `n [DHQK]` and `m`.
 *
 * @param checkpoint an open checkpoint, or an open safetensors file of a whole model.
 * @param dtype what the matrices will be kept in.
 * @throws DtypeError for another dtype.
 * @example
 * const files = await resolveModel('NX-AI/xLSTM-7b', { download: false });
 * await using checkpoint = await openCheckpoint(files);
 * estimateMemory(checkpoint, 'bf16').state; // 134_481_920
 */
export function estimateMemory(
  checkpoint: { readonly tensors: ReadonlyMap<string, TensorInfo> },
  dtype: FloatDtype,
): MemoryEstimate {
  if (!isFloatDtype(dtype)) {
    throw new DtypeError(`estimateMemory: dtype must be fp32, fp16 or bf16, got ${quoted(dtype)}`);
  }
  let parameters = 0;
  let weights = 0;
  let largestTensor = 0;
  for (const info of checkpoint.tensors.values()) {
    const elements = info.byteLength / safetensorsDtypeBytes(info.dtype);
    const isMatrix = info.shape.length >= 2 && !/[if]gate_preact\./.test(info.name);
    const bytes = elements * dtypeBytes(isMatrix ? dtype : 'fp32');
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
    const vDim = tensors.get(name)?.shape[1] ?? 0;
    const qkDim = fused ? rows(`${layer}.qkv_opreact.weight`) / 2 - vDim : rows(`${layer}.q.weight`);
    if (heads > 0) floats += (qkDim * vDim) / heads + qkDim + heads;
  }
  return floats * 4;
}
