import { defineKernel, type Kernel } from '@xlstm/device';
import { sumOfSquaresReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { sumOfSquaresWebGpu } from './webgpu.ts';

/** Partial sums of the squares of a gradient, which `clip_scale` adds up; `AdamW` launches it. */
export const sumOfSquaresKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'sum_of_squares',
  bindings,
  params,
  webgpu: sumOfSquaresWebGpu,
  reference: sumOfSquaresReference,
});

/** Elements of a run, and runs of a tensor at most. */
const RUN = 16384;
const MOST_PARTS = 256;

/** Into how many parts the sum over a tensor is split: a function of its size alone. */
export function squareParts(length: number): number {
  return Math.max(1, Math.min(MOST_PARTS, Math.ceil(length / RUN)));
}
