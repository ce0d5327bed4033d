import { OptionError, ShapeError } from '@xlstm/device';
import type { Tensor } from '../../tensor.ts';

/** Throws unless x `[..., NH*DH]` divides into that many heads. */
export function requireHeads(operation: string, x: Tensor, heads: number): void {
  if (!Number.isInteger(heads) || heads < 1) {
    throw new OptionError(`${operation}: heads must be a positive integer, got ${heads}; pass the model's head count`);
  }
  if (x.cols % heads !== 0) {
    throw new ShapeError(
      `${operation}: heads must divide the last dimension, got ${heads} heads and [${x.shape}]; pass x [..., NH*DH]`,
    );
  }
}
