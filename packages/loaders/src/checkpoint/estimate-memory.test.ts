import { DtypeError } from '@xlstm/device';
import { describe, expect, it } from 'vitest';
import { bytesSource } from '../byte-source/bytes-source.ts';
import type { TensorInfo } from '../safetensors/header.ts';
import { estimateMemory } from './estimate-memory.ts';

/** Headers alone, as the estimate reads no tensor. */
function headers(shapes: Record<string, readonly number[]>): { tensors: Map<string, TensorInfo> } {
  const source = bytesSource(new Uint8Array(0), 'model.safetensors');
  const infos = Object.entries(shapes).map(([name, shape]): [string, TensorInfo] => [
    name,
    { name, shape, dtype: 'F32', byteLength: 4 * shape.reduce((a, b) => a * b, 1), offset: 0, source },
  ]);
  return { tensors: new Map(infos) };
}

function block(index: number, D: number, qk: number, v: number, NH: number): Record<string, readonly number[]> {
  const layer = `backbone.blocks.${index}.mlstm_layer`;
  return {
    [`backbone.blocks.${index}.norm_mlstm.weight`]: [D],
    [`${layer}.q.weight`]: [qk, D],
    [`${layer}.k.weight`]: [qk, D],
    [`${layer}.v.weight`]: [v, D],
    [`${layer}.ogate_preact.weight`]: [v, D],
    [`${layer}.igate_preact.weight`]: [NH, D],
    [`${layer}.igate_preact.bias`]: [NH],
    [`${layer}.fgate_preact.weight`]: [NH, D],
    [`${layer}.fgate_preact.bias`]: [NH],
    [`${layer}.out_proj.weight`]: [D, v],
  };
}

describe('estimateMemory', () => {
  it('gives the state of the published 7B model', () => {
    const blocks = Array.from({ length: 32 }, (_, index) => block(index, 4096, 2048, 4096, 8));
    const { state } = estimateMemory(headers(Object.assign({}, ...blocks)), 'bf16');
    expect(state).toBe(32 * 8 * (256 * 512 + 256 + 1) * 4);
  });

  it('keeps norms, biases and gates in float32 and counts all else in the dtype', () => {
    const model = headers({ 'backbone.embeddings.weight': [100, 64], ...block(0, 64, 32, 64, 4) });
    const matrices = 100 * 64 + 64 * (32 + 32 + 64 + 64 + 64);
    const small = 64 + 2 * (4 * 64 + 4);
    const state = 4 * (8 * 16 + 8 + 1) * 4;
    expect(estimateMemory(model, 'bf16')).toEqual({
      parameters: matrices + small,
      weights: 2 * matrices + 4 * small,
      state,
      largestTensor: 2 * 6400,
      total: 2 * matrices + 4 * small + state,
    });
    expect(estimateMemory(model, 'fp32').weights).toBe(4 * (matrices + small));
  });

  it('reads projections that are stored as one', () => {
    const layer = 'backbone.blocks.0.mlstm_layer';
    const fused = headers({
      [`${layer}.qkv_opreact.weight`]: [2 * 32 + 2 * 64, 64],
      [`${layer}.ifgate_preact.weight`]: [8, 64],
      [`${layer}.ifgate_preact.bias`]: [8],
      [`${layer}.out_proj.weight`]: [64, 64],
    });
    expect(estimateMemory(fused, 'fp16').state).toBe(4 * (8 * 16 + 8 + 1) * 4);
    expect(() => estimateMemory(fused, 'q5' as 'fp16')).toThrow(DtypeError);
  });
});
