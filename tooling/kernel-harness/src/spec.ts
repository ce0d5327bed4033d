import type { Binding, Dtype, Kernel, NumberArray, ParamType } from '@xlstm/device';
import type { Tolerance } from './compare.ts';
import type { Random } from './random.ts';

/** A buffer of a case: contents for what is read, only a size for what is written. */
export type CaseBuffer = { dtype: Dtype; data: NumberArray } | { dtype: Dtype; length: number };

/** One launch of a kernel on made-up data. */
export interface KernelCase<B extends string = string, P extends string = string> {
  name: string;
  params: Readonly<Record<P, number>>;
  buffers: (random: Random) => Partial<Record<B, CaseBuffer | undefined>>;
  /** In the place of the spec's, for what this launch writes. */
  tolerances?: Readonly<Partial<Record<B, Tolerance>>>;
}

/** What one launch must do at least; times and these give the share of the device's ceilings. */
export interface KernelCost {
  flops: number;
  /** Each input read once, each output written once. */
  bytes: number;
}

/**
 * What a kernel promises: where it exists, on what it is tried, how exact it is, on what it is timed.
 * `backends` declares each backend: `true`, or a sentence that says why it is missing.
 */
export interface KernelSpec<
  Bindings extends Record<string, Binding> = Record<string, Binding>,
  Params extends Record<string, ParamType> = Record<string, ParamType>,
> {
  kernel: Kernel<Bindings, Params>;
  backends: { cpu: true | string; webgpu: true | string; cuda: true | string };
  cases: readonly KernelCase<Extract<keyof Bindings, string>, Extract<keyof Params, string>>[];
  /** Why there are adapters that no WGSL form runs on; absent when one form needs nothing. Tests skip those visibly. */
  someAdapters?: string;
  /** For every binding that is written. */
  tolerances: Readonly<Partial<Record<Extract<keyof Bindings, string>, Tolerance>>>;
  bench: readonly KernelCase<Extract<keyof Bindings, string>, Extract<keyof Params, string>>[];
  cost: (
    params: Readonly<Record<Extract<keyof Params, string>, number>>,
    dtypes: Partial<Record<Extract<keyof Bindings, string>, Dtype>>,
  ) => KernelCost;
}

/** Declares a spec; types follow the kernel. */
export function defineSpec<
  const Bindings extends Record<string, Binding>,
  const Params extends Record<string, ParamType>,
>(spec: KernelSpec<Bindings, Params>): KernelSpec<Bindings, Params> {
  return spec;
}
