import type { DeviceBuffer } from '@xlstm/device';
import type { Layout } from './layout.ts';

/** Element (b, s, gate, head, d) lies at offset + b*batch + s*step + gate*gate + head*head + d; gates are i, f, z, o. */
export interface SlstmInputLayout extends Layout {
  gate: number;
}

/** A buffer and where in it the four gates' inputs are. */
export interface SlstmInputOperand {
  buffer: DeviceBuffer;
  layout: SlstmInputLayout;
}

/**
 * The layout of the columns `i | f | z | o`, each `NH * DH` wide, in rows `rowStride` elements apart, with the first
 * element at `offset`; contiguous `[B, S, 4 * NH * DH]` by default.
 *
 * @example
 * ```ts
 * // The second half of rows of 8 * NH * DH.
 * const layout = slstmInputLayout(shape, 8 * NH * DH, 4 * NH * DH)
 * ```
 */
export function slstmInputLayout(
  { S, NH, DH }: { S: number; NH: number; DH: number },
  rowStride: number = 4 * NH * DH,
  offset = 0,
): SlstmInputLayout {
  return { offset, batch: S * rowStride, head: DH, step: rowStride, gate: NH * DH };
}

/** A layout of inputs as a kernel's parameters. */
export type InputLayoutParams<N extends string> = Record<`${N}_${keyof SlstmInputLayout}`, number>;

/** `{ x_offset, x_batch, x_head, x_step, x_gate }` for the operand `x`. */
export function inputLayoutParams<N extends string>(
  name: N,
  { offset, batch, head, step, gate }: SlstmInputLayout,
): InputLayoutParams<N> {
  return {
    [`${name}_offset`]: offset,
    [`${name}_batch`]: batch,
    [`${name}_head`]: head,
    [`${name}_step`]: step,
    [`${name}_gate`]: gate,
  } as InputLayoutParams<N>;
}
