import { defineKernel, type Kernel } from '@xlstm/device';
import type { Scope } from '../../scope.ts';
import { requireContiguous, requireShape, type Tensor } from '../../tensor.ts';
import { headLayerNormBackward } from '../head-layer-norm-backward/index.ts';
import { requireHeads } from './heads.ts';
import { headLayerNormReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { headLayerNormWebGpu } from './webgpu.ts';

export const headLayerNormKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'head_layer_norm',
  bindings,
  params,
  webgpu: headLayerNormWebGpu,
  reference: headLayerNormReference,
});

/** What `headLayerNorm` takes besides x and weight. */
export interface HeadLayerNormOptions {
  /** NH; divides the last dimension. */
  heads: number;
  /** Added to the variance: 1e-6 in xLSTM Large (the default), 1e-5 in the blocks of the first paper's code. */
  eps?: number;
  /** Added to each weight: 1 where checkpoints store the weight less one; 0 by default. */
  weightOffset?: number | undefined;
  /** `[NH*DH]` fp32 */
  bias?: Tensor | undefined;
  /** `[..., NH*DH]` fp32, may be columns of a wider tensor; its sigmoid multiplies the result. */
  gate?: Tensor | undefined;
}

/**
 * LayerNorm over each head's DH elements, optionally times an output gate:
 * `y = (x − mean) / sqrt(var + eps) · (weightOffset + weight) (+ bias) (· sigmoid(gate))`. One head is plain LayerNorm.
 *
 * @param x `[..., NH*DH]` fp32, contiguous
 * @param weight `[NH*DH]` fp32
 * @returns `[..., NH*DH]` fp32
 * @throws ShapeError when shapes differ or heads do not divide; OptionError when `heads` is no positive integer.
 * Source: xLSTM 7B (2503.13427), section 3.
 * @example
 * ```ts
 * const y = headLayerNorm(scope, h, weight, { heads: 8, gate: projected.columns(4096, 4096) })
 * ```
 */
export function headLayerNorm(scope: Scope, x: Tensor, weight: Tensor, options: HeadLayerNormOptions): Tensor {
  const { heads, eps = 1e-6, weightOffset = 0, bias, gate } = options;
  requireHeads('headLayerNorm', x, heads);
  requireContiguous('headLayerNorm', 'x', x);
  requireContiguous('headLayerNorm', 'weight', weight, [x.cols]);
  if (bias) requireContiguous('headLayerNorm', 'bias', bias, [x.cols]);
  if (gate) requireShape('headLayerNorm', 'gate', gate, x.shape);
  const y = scope.tensor(x.shape, 'fp32', 'head_layer_norm');
  scope.device.launch(headLayerNormKernel, {
    buffers: { x: x.buffer, weight: weight.buffer, bias: bias?.buffer, gate: gate?.buffer, y: y.buffer },
    params: {
      rows: x.rows,
      NH: heads,
      DH: x.cols / heads,
      eps,
      weightOffset,
      gateOffset: gate?.offset ?? 0,
      gateStride: gate?.rowStride ?? 0,
    },
  });
  scope.record({
    name: 'headLayerNorm',
    inputs: [x, weight, bias, gate],
    outputs: [y],
    saved: [x, weight, bias, gate],
    backward: (gradients) => {
      const targets = {
        dx: gradients.target(x),
        dweight: gradients.target(weight),
        dbias: gradients.target(bias),
        dgate: gradients.target(gate),
      };
      const inputs = { x, weight, bias, gate, dy: gradients.of(y)!, heads, eps, weightOffset };
      headLayerNormBackward(gradients.scope, inputs, targets);
    },
  });
  return y;
}
