import { OptionError, ShapeError } from '@xlstm/device';
import { requireContiguous, type Tensor } from '../../tensor.ts';
import { MAX_TAPS } from './signature.ts';

/** The sizes of a causal convolution. */
export interface ConvShape {
  B: number;
  S: number;
  D: number;
  K: number;
}

/** Checks x `[B, S, D]`, weight `[D, 1, K]`, bias `[D]` and state `[B, K-1, D]` against each other. */
export function requireConvShapes(
  operation: string,
  x: Tensor,
  weight: Tensor,
  rest: { bias?: Tensor | undefined; state?: Tensor | undefined } = {},
): ConvShape {
  const [B, S, D] = x.shape;
  if (x.shape.length !== 3 || B === undefined || S === undefined || D === undefined || S === 0) {
    throw new ShapeError(`${operation}: x must be [B, S, D] with S >= 1, got [${x.shape}]; give a step S = 1`);
  }
  const K = weight.cols;
  if (weight.shape.length !== 3 || weight.shape[0] !== D || weight.shape[1] !== 1 || K < 1) {
    throw new ShapeError(`${operation}: weight must be [${D}, 1, K] for x [${x.shape}], got [${weight.shape}]`);
  }
  if (K > MAX_TAPS) {
    throw new OptionError(`${operation}: a kernel has at most ${MAX_TAPS} taps, got weight [${weight.shape}]`);
  }
  requireContiguous(operation, 'weight', weight);
  if (rest.bias) requireContiguous(operation, 'bias', rest.bias, [D]);
  if (rest.state) requireContiguous(operation, 'state', rest.state, [B, K - 1, D]);
  return { B, S, D, K };
}
