import { ShapeError } from '@xlstm/device';

/** Sizes of an sLSTM cell: batch, steps, heads, units of a head. */
export interface SlstmShape {
  B: number;
  S: number;
  NH: number;
  DH: number;
}

/** What is kept of each step for the backward pass: the pre-activations i, f, z, o and the states c, n, m. */
export const SAVED_PLANES = 7;

/** Throws a `ShapeError` unless all sizes are positive integers. */
export function requireSlstmShape(operation: string, shape: SlstmShape): void {
  for (const name of ['B', 'S', 'NH', 'DH'] as const) {
    if (!Number.isSafeInteger(shape[name]) || shape[name] < 1) {
      throw new ShapeError(
        `${operation}: ${name} must be a positive integer, got ${shape[name]}; pass the cell's sizes`,
      );
    }
  }
}

/**
 * Elements of an sLSTM state: the planes `y | c | n | m`, each `[B, NH * DH]`. All zero is the empty state.
 *
 * @throws ShapeError when a size is not a positive integer.
 * @example
 * ```ts
 * using state = device.alloc('fp32', slstmStateLength({ B: 1, NH: 4, DH: 64 }))
 * ```
 */
export function slstmStateLength({ B, NH, DH }: Omit<SlstmShape, 'S'>): number {
  requireSlstmShape('slstmStateLength', { B, S: 1, NH, DH });
  return 4 * B * NH * DH;
}

/**
 * Elements that `slstm` keeps for `slstmBackward`: the initial state `y | c | n | m`, then `[B, S, 7, NH * DH]` with the
 * pre-activations i, f, z, o and the states c, n, m of every step.
 *
 * @throws ShapeError when a size is not a positive integer.
 * @example
 * ```ts
 * const saved = arena.alloc('fp32', slstmSavedLength(shape))
 * ```
 */
export function slstmSavedLength(shape: SlstmShape): number {
  requireSlstmShape('slstmSavedLength', shape);
  const { B, S, NH, DH } = shape;
  return slstmStateLength(shape) + SAVED_PLANES * B * S * NH * DH;
}

/** Elements of the recurrent weights, plain layout `[NH, 4 * DH, DH]`. */
export function recurrentLength({ NH, DH }: Pick<SlstmShape, 'NH' | 'DH'>): number {
  return 4 * NH * DH * DH;
}
