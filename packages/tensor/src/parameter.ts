import type { Tensor } from './tensor.ts';

/** A weight that an optimiser changes. */
export interface TrainableParameter {
  /** Unique in a model; errors and saved states use it. */
  readonly name: string;
  /** fp32, contiguous, a buffer of its own. */
  readonly value: Tensor;
  /** fp32, contiguous, of the value's shape, a buffer of its own. */
  readonly gradient: Tensor;
  /** Whether weight decay applies to it. */
  readonly decay: boolean;
}
