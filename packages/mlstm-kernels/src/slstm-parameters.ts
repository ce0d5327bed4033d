import { ShapeError } from '@xlstm/device';
import type { SlstmShape } from './slstm-shape.ts';

/**
 * How published weights lie: `plain`, recurrent `[NH, 4 * DH_out, DH_in]` with bias gate, head, unit, or `cuda`, recurrent
 * `[NH, DH_in, 4 * DH_out]` with bias head, gate, unit. This package computes with plain ones.
 */
export type SlstmParameterLayout = 'plain' | 'cuda';

/** Recurrent weights and bias of a cell on the host, both in one layout. */
export interface SlstmParameters {
  recurrent: Float32Array;
  bias: Float32Array;
}

type HeadShape = Pick<SlstmShape, 'NH' | 'DH'>;

/**
 * Which layout recurrent weights of that shape are in; the bias, whose shape does not tell, is in the same one.
 *
 * @param dimensions of `_recurrent_kernel_`
 * @throws ShapeError when they are neither `[NH, 4 * DH, DH]` nor `[NH, DH, 4 * DH]`.
 * @example
 * ```ts
 * slstmRecurrentLayout([4, 64, 256]) // 'cuda', of heads of 64
 * ```
 */
export function slstmRecurrentLayout(dimensions: readonly number[]): SlstmParameterLayout {
  const [, rows = 0, columns = 0] = dimensions;
  const positive = dimensions.length === 3 && dimensions.every((size) => Number.isSafeInteger(size) && size > 0);
  if (positive) {
    if (rows === 4 * columns) return 'plain';
    if (columns === 4 * rows) return 'cuda';
  }
  throw new ShapeError(
    `slstmRecurrentLayout: recurrent weights are [NH, 4 * DH, DH] or [NH, DH, 4 * DH], got [${dimensions}]; check the checkpoint's tensor`,
  );
}

function requireParameters(operation: string, { NH, DH }: HeadShape, { recurrent, bias }: SlstmParameters): void {
  for (const [name, data, length] of [
    ['recurrent', recurrent, 4 * NH * DH * DH],
    ['bias', bias, 4 * NH * DH],
  ] as const) {
    if (data.length !== length) {
      throw new ShapeError(
        `${operation}: ${name} must have ${length} elements (NH=${NH}, DH=${DH}), got ${data.length}; pass that cell's parameters`,
      );
    }
  }
}

/** Calls back with the places of every weight and every bias in both layouts. */
function eachPlace(
  { NH, DH }: HeadShape,
  weight: (plain: number, cuda: number) => void,
  bias: (plain: number, cuda: number) => void,
): void {
  for (let head = 0; head < NH; head++) {
    for (let gate = 0; gate < 4; gate++) {
      for (let out = 0; out < DH; out++) {
        const row = gate * DH + out;
        bias((gate * NH + head) * DH + out, head * 4 * DH + row);
        for (let k = 0; k < DH; k++) weight((head * 4 * DH + row) * DH + k, (head * DH + k) * 4 * DH + row);
      }
    }
  }
}

/**
 * Parameters in the plain layout, from those in the CUDA cell's.
 *
 * @throws ShapeError when lengths and sizes disagree.
 * @example
 * ```ts
 * const { recurrent, bias } = slstmPlainParameters({ NH: 4, DH: 64 }, published)
 * ```
 */
export function slstmPlainParameters(shape: HeadShape, cuda: SlstmParameters): SlstmParameters {
  requireParameters('slstmPlainParameters', shape, cuda);
  const plain = { recurrent: new Float32Array(cuda.recurrent.length), bias: new Float32Array(cuda.bias.length) };
  eachPlace(
    shape,
    (to, from) => {
      plain.recurrent[to] = cuda.recurrent[from]!;
    },
    (to, from) => {
      plain.bias[to] = cuda.bias[from]!;
    },
  );
  return plain;
}

/**
 * Parameters in the CUDA cell's layout, from plain ones.
 *
 * @throws ShapeError when lengths and sizes disagree.
 * @example
 * ```ts
 * const published = slstmCudaParameters({ NH: 4, DH: 64 }, { recurrent, bias })
 * ```
 */
export function slstmCudaParameters(shape: HeadShape, plain: SlstmParameters): SlstmParameters {
  requireParameters('slstmCudaParameters', shape, plain);
  const cuda = { recurrent: new Float32Array(plain.recurrent.length), bias: new Float32Array(plain.bias.length) };
  eachPlace(
    shape,
    (from, to) => {
      cuda.recurrent[to] = plain.recurrent[from]!;
    },
    (from, to) => {
      cuda.bias[to] = plain.bias[from]!;
    },
  );
  return cuda;
}
