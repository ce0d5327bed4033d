import { ShapeError } from '@xlstm/device';

/** Sizes of an mLSTM cell: batch, heads, steps, width of a query or key, width of a value. */
export interface MlstmShape {
  B: number;
  NH: number;
  S: number;
  DHQK: number;
  DHHV: number;
}

/** Throws a `ShapeError` unless all sizes are positive integers. */
export function requireShape(operation: string, shape: MlstmShape): void {
  for (const name of ['B', 'NH', 'S', 'DHQK', 'DHHV'] as const) {
    if (!Number.isSafeInteger(shape[name]) || shape[name] < 1) {
      throw new ShapeError(
        `${operation}: ${name} must be a positive integer, got ${shape[name]}; pass the cell's sizes`,
      );
    }
  }
}
