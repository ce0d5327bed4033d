import { defineKernel, type Kernel } from '@xlstm/device';
import { nonFiniteReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { nonFiniteWebGpu } from './webgpu.ts';

/** Counts elements that are NaN or infinite; a `Tape` that detects anomalies launches it. */
export const nonFiniteKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'non_finite',
  bindings,
  params,
  webgpu: nonFiniteWebGpu,
  reference: nonFiniteReference,
});

/** Elements of a run, and runs of a tensor at most. */
const RUN = 16384;
const MOST_PARTS = 256;

/** Into how many parts the count over a tensor is split: a function of its size alone. */
export function nonFiniteParts(length: number): number {
  return Math.max(1, Math.min(MOST_PARTS, Math.ceil(length / RUN)));
}
