import { ShapeError } from '@xlstm/device';
import { requireContiguous, type Tensor } from '../../tensor.ts';

/** Checks x `[..., NB*DI]`, weight `[NB, DO, DI]` and bias `[NB*DO]` against each other; returns the block's sizes. */
export function requireBlocks(
  operation: string,
  x: Tensor,
  weight: Tensor,
  bias?: Tensor | undefined,
): { NB: number; DO: number; DI: number } {
  const [NB, DO, DI] = weight.shape;
  if (weight.shape.length !== 3 || NB === undefined || DO === undefined || DI === undefined || x.cols !== NB * DI) {
    throw new ShapeError(
      `${operation}: weight must be [NB, DO, DI] with NB*DI = ${x.cols} for x [${x.shape}], got [${weight.shape}]`,
    );
  }
  requireContiguous(operation, 'weight', weight);
  if (bias) requireContiguous(operation, 'bias', bias, [NB * DO]);
  return { NB, DO, DI };
}
