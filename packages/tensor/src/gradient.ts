import type { Tensor } from './tensor.ts';

/** Where the backward of an operation puts the gradient of one of its inputs. */
export interface GradientTarget {
  /** fp32, of the input's shape; may be columns of a wider gradient when the input is columns of a wider tensor. */
  readonly tensor: Tensor;
  /** Whether the gradient is added to what is there; otherwise it replaces what is there, whatever that was. */
  readonly accumulate: boolean;
}
