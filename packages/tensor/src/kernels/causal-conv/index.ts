import { defineKernel, type Kernel } from '@xlstm/device';
import type { OperationGradients, Scope } from '../../scope.ts';
import { requireContiguous, type Tensor } from '../../tensor.ts';
import { causalConvBackward } from '../causal-conv-backward/index.ts';
import { causalConvReference } from './reference.ts';
import { type ConvShape, requireConvShapes } from './shapes.ts';
import { bindings, params, TIMES } from './signature.ts';
import { causalConvWebGpu } from './webgpu.ts';

export const causalConvKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'causal_conv',
  bindings,
  params,
  webgpu: causalConvWebGpu,
  reference: causalConvReference,
});

/** What `causalConv` takes. */
export interface CausalConvInputs {
  /** `[B, S, D]` fp32, may be columns of a wider tensor */
  x: Tensor;
  /** `[D, 1, K]` fp32, K at most 8 */
  weight: Tensor;
  /** `[D]` fp32 */
  bias?: Tensor | undefined;
  /** `[B, K-1, D]` fp32: the last K − 1 inputs of what came before; zeros where it is absent */
  state?: Tensor | undefined;
  /** `[B, K-1, D]` fp32: gets the last K − 1 inputs of the whole; may be `state` itself */
  nextState?: Tensor | undefined;
}

function launch(
  scope: Scope,
  { x, weight, bias, state, nextState }: CausalConvInputs,
  y: Tensor,
  shape: ConvShape,
  inPlace: boolean,
): void {
  scope.device.launch(causalConvKernel, {
    buffers: {
      x: x.buffer,
      weight: weight.buffer,
      bias: bias?.buffer,
      state: inPlace ? undefined : state?.buffer,
      y: y.buffer,
      nextState: nextState?.buffer,
    },
    params: { ...shape, xOffset: x.offset, xStride: x.rowStride, inPlace: inPlace ? 1 : 0 },
  });
}

/** A tensor like `tensor` with the same contents; it outlives what is written over the original. */
function copyOf(scope: Scope, tensor: Tensor): Tensor {
  const copy = scope.tensor(tensor.shape, 'fp32', 'conv_state');
  scope.device.copy(tensor.buffer, copy.buffer, 0, 0, tensor.rows * tensor.cols);
  return copy;
}

/** The gradient of an output, or zeros where the loss does not depend on it. */
function gradientOrZeros(gradients: OperationGradients, output: Tensor): Tensor {
  const gradient = gradients.of(output);
  if (gradient) return gradient;
  const zeros = gradients.scope.tensor(output.shape, 'fp32', 'zeros');
  gradients.scope.device.clear(zeros.buffer);
  return zeros;
}

/**
 * Causal depthwise convolution over time: `y[b, t, d] = bias[d] + Σ_k weight[d, 0, k] · u[b, t − (K − 1) + k, d]`, where u
 * is x and, before time 0, the state. One call for a step (S = 1), a piece or the whole sequence: all give the same.
 *
 * @param inputs x `[B, S, D]`, weight `[D, 1, K]`, bias `[D]`, state and nextState `[B, K-1, D]`, all fp32
 * @returns `[B, S, D]` fp32, contiguous
 * @throws ShapeError when shapes differ; OptionError for more than 8 taps.
 * Source: xLSTM (2405.04517), appendix on block structure.
 * @example
 * ```ts
 * const y = silu(scope, causalConv(scope, { x, weight, bias, state, nextState: state }))
 * ```
 */
export function causalConv(scope: Scope, inputs: CausalConvInputs): Tensor {
  const { x, weight, bias, state, nextState } = inputs;
  const shape = requireConvShapes('causalConv', x, weight, { bias, state });
  const stateShape = [shape.B, shape.K - 1, shape.D];
  if (nextState) requireContiguous('causalConv', 'nextState', nextState, stateShape);
  const y = scope.tensor(x.shape, 'fp32', 'causal_conv');
  const same = nextState !== undefined && state?.buffer === nextState.buffer;
  // A tape reads the state again when weights are differentiated.
  const before = same && scope.differentiates ? copyOf(scope, state) : state;
  if (!same || before !== state) launch(scope, { ...inputs, state: before }, y, shape, false);
  else if (shape.S <= TIMES) launch(scope, inputs, y, shape, true);
  else {
    const next = scope.tensor(stateShape, 'fp32', 'conv_state');
    launch(scope, { ...inputs, nextState: next }, y, shape, false);
    scope.device.copy(next.buffer, nextState.buffer, 0, 0, next.rows * next.cols);
    scope.release(next);
  }
  scope.record({
    name: 'causalConv',
    inputs: [x, weight, bias, state],
    outputs: nextState ? [y, nextState] : [y],
    saved: [x, weight, before],
    backward: (gradients) => {
      const dy = gradientOrZeros(gradients, y);
      const dnextState = nextState && gradients.of(nextState);
      const targets = {
        dx: gradients.target(x),
        dweight: gradients.target(weight),
        dbias: gradients.target(bias),
        dstate: gradients.target(state),
      };
      causalConvBackward(gradients.scope, { x, weight, state: before, dy, dnextState }, targets);
    },
  });
  if (before && before !== state) scope.release(before);
  return y;
}
