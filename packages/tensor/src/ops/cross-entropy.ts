import { DtypeError, ShapeError } from '@xlstm/device';
import type { GradientTarget } from '../gradient.ts';
import { addScaled } from '../kernels/add-scaled/index.ts';
import type { Scope } from '../scope.ts';
import { requireContiguous, type Tensor } from '../tensor.ts';
import { WeightMatrix } from '../weight-matrix.ts';
import {
  type CrossEntropyInputs,
  type CrossEntropyOptions,
  checkOptions,
  lossAndGradients,
} from './linear-cross-entropy.ts';

/** What `crossEntropy` reads. */
export interface CrossEntropyLossInputs {
  /** `[..., D]` fp32, contiguous */
  hidden: Tensor;
  /** `[V, D]`: a contiguous tensor of fp32, fp16 or bf16, or a matrix; gradients need one in one piece */
  head: Tensor | WeightMatrix;
  /** `[...]` i32, contiguous: an id in 0…V−1, or `ignoreIndex` */
  targets: Tensor;
}

/**
 * Checks the targets of a model's loss before its forward pass, which moves a state on, is queued.
 *
 * @throws ShapeError unless targets are of the tokens' shape, DtypeError unless they are i32, OptionError for options out of
 * range.
 * @example
 * ```ts
 * requireTargets('loss', tokens, targets, { ignoreIndex: -1 })
 * ```
 */
export function requireTargets(
  operation: string,
  tokens: Tensor,
  targets: Tensor,
  options: CrossEntropyOptions = {},
): void {
  if (`${targets.shape}` !== `${tokens.shape}`) {
    throw new ShapeError(`${operation}: targets must be [${tokens.shape}] as tokens, got [${targets.shape}]`);
  }
  requireContiguous(operation, 'targets', targets);
  if (targets.dtype !== 'i32') {
    throw new DtypeError(`${operation}: targets must be i32, got ${targets.dtype}; upload an Int32Array`);
  }
  checkOptions(operation, options);
}

/**
 * The mean cross-entropy of `softmax(cap(hidden · headᵀ))` against targets, differentiable on a tape. There the gradients are
 * made together with the loss, tile by tile of rows, so that the logits are computed once and never all kept.
 *
 * @returns `[1]` fp32: nats per target that is not ignored, 0 when all are; NaN when a target is outside the vocabulary
 * @throws ShapeError, DtypeError or OptionError when tensors or options do not fit; GradientError on a tape that differentiates
 * hidden, where the head is quantised or in parts.
 * @example
 * ```ts
 * const loss = crossEntropy(tape, { hidden, head, targets }, { ignoreIndex: -1, softCap: 30 })
 * loss.backward()
 * ```
 */
export function crossEntropy(
  scope: Scope,
  { hidden, head: given, targets }: CrossEntropyLossInputs,
  options: CrossEntropyOptions = {},
): Tensor {
  const head = given instanceof WeightMatrix ? given.tensor : given;
  const inputs: CrossEntropyInputs = { hidden, weight: head ?? given, targets };
  const fresh = (like: Tensor, label: string): GradientTarget => ({
    tensor: scope.tensor(like.shape, 'fp32', label),
    accumulate: false,
  });
  // For a loss whose gradient is 1; multiplied by what it turns out to be.
  const dhidden = scope.isDifferentiated(hidden) ? fresh(hidden, 'gradient of hidden') : undefined;
  const dweight = head && scope.isDifferentiated(head) ? fresh(head, 'gradient of head') : undefined;
  const { loss, count, tokenLosses } = lossAndGradients(scope, inputs, options, { dhidden, dweight });
  scope.release(count, tokenLosses);
  const made = [
    { input: hidden, gradient: dhidden?.tensor },
    { input: head, gradient: dweight?.tensor },
  ];
  scope.record({
    name: 'crossEntropy',
    inputs: [hidden, head],
    outputs: [loss],
    saved: [dhidden?.tensor, dweight?.tensor],
    backward: (gradients) => {
      const dloss = gradients.of(loss)!;
      for (const { input, gradient } of made) {
        const target = gradients.target(input);
        if (target && gradient) addScaled(gradients.scope, gradient, dloss, target);
      }
    },
  });
  for (const { gradient } of made) if (gradient) scope.release(gradient);
  return loss;
}
