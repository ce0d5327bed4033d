import type { DeviceBuffer } from '@xlstm/device';

/** Element (b, head, s, d) lies at offset + b*batch + head*head + s*step + d (for gates, without d). */
export interface Layout {
  offset: number;
  batch: number;
  head: number;
  step: number;
}

/** A buffer and where in it the elements are. */
export interface Operand {
  buffer: DeviceBuffer;
  layout: Layout;
}

/** The layout of a contiguous `[B, NH, S, width]`; width 1 for gates `[B, NH, S]`. */
export function headMajor(shape: { NH: number; S: number }, width: number): Layout {
  return { offset: 0, batch: shape.NH * shape.S * width, head: shape.S * width, step: width };
}

/**
 * The layout of `[B, S, NH * width]` with rows `rowStride` elements apart and the first element at `offset`:
 * a projection's output, or a range of columns of a fused projection.
 *
 * @example
 * ```ts
 * // q | k | v in rows of 3 * NH * 64: this is k.
 * const k = sequenceMajor({ NH, S }, 64, 3 * NH * 64, NH * 64)
 * ```
 */
export function sequenceMajor(
  shape: { NH: number; S: number },
  width: number,
  rowStride: number = shape.NH * width,
  offset = 0,
): Layout {
  return { offset, batch: shape.S * rowStride, head: width, step: rowStride };
}

/** The operand from step `start` on. */
export function fromStep({ buffer, layout }: Operand, start: number): Operand {
  return { buffer, layout: { ...layout, offset: layout.offset + start * layout.step } };
}

/** A layout as a kernel's parameters: four of them, whose names start with the operand's. */
export type LayoutParams<N extends string> = Record<`${N}_${keyof Layout}`, number>;

/** `{ q_offset, q_batch, q_head, q_step }` for the operand `q`. */
export function layoutParams<N extends string>(name: N, { layout }: Pick<Operand, 'layout'>): LayoutParams<N> {
  const { offset, batch, head, step } = layout;
  return {
    [`${name}_offset`]: offset,
    [`${name}_batch`]: batch,
    [`${name}_head`]: head,
    [`${name}_step`]: step,
  } as LayoutParams<N>;
}

/** Index of an operand's first element of (batch b, head, step s), as references compute it. */
export function indexer<N extends string>(
  params: Readonly<LayoutParams<N>>,
  name: N,
): (b: number, head: number, s: number) => number {
  const offset = params[`${name}_offset`];
  const batch = params[`${name}_batch`];
  const perHead = params[`${name}_head`];
  const step = params[`${name}_step`];
  return (b, head, s) => offset + b * batch + head * perHead + s * step;
}
