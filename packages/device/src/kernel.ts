import type { Dtype } from './dtypes/index.ts';

/** One buffer that a kernel reads or writes. Its place in `bindings` is its binding index in every backend. */
export interface Binding {
  access: 'read' | 'write' | 'read-write';
  /** The dtypes that the buffer may have. */
  dtypes: readonly Dtype[];
  /** An absent optional buffer reaches the WGSL form as a 16-byte dummy, the reference as `undefined`. */
  optional?: true;
}

/** A scalar parameter's type, laid out in declaration order in the uniform struct that follows the bindings. */
export type ParamType = 'u32' | 'i32' | 'f32';

/** A weight buffer as a reference implementation sees it: its bits and what they mean. */
export interface WeightView {
  dtype: Dtype;
  /** fp32 values, or the bits of 16-bit floats. */
  data: Float32Array | Uint16Array;
}

/** The host view that a reference implementation gets for a binding. */
export type ReferenceView<B extends Binding> =
  | (B['dtypes'] extends readonly ['fp32']
      ? Float32Array
      : B['dtypes'] extends readonly ['u32']
        ? Uint32Array
        : B['dtypes'] extends readonly ['i32']
          ? Int32Array
          : B['dtypes'] extends readonly ['fp16'] | readonly ['bf16']
            ? Uint16Array
            : WeightView)
  | (B extends { optional: true } ? undefined : never);

/** What the parts of a kernel may know about one launch: scalar parameters, dtypes, which optional buffers are there. */
export interface LaunchFacts<B extends string = string, P extends string = string> {
  params: Readonly<Record<P, number>>;
  /** The dtype of each bound buffer; `undefined` where an optional one is absent. */
  dtypes: Readonly<Record<B, Dtype | undefined>>;
}

/** What a WGSL variant may require of an adapter. */
export interface WebGpuNeeds {
  features?: readonly GPUFeatureName[];
  /** The adapter's smallest subgroup must have at least this many invocations. */
  minSubgroupSize?: number;
  invocationsPerWorkgroup?: number;
  workgroupStorageBytes?: number;
  /**
   * Products of 16 x 16 matrices that a subgroup of 32 holds together, float16 into float32 sums
   * (`chromium-experimental-subgroup-matrix`, with `shader-f16` and `subgroups`).
   */
  subgroupMatrix?: true;
  /** Dot products of four packed bytes (`dot4I8Packed`) that are instructions of the GPU. */
  packedDot?: true;
  /**
   * Only for adapters that compute on the CPU (SwiftShader, llvmpipe): there a workgroup barrier costs more than the
   * idle lanes of a form without any.
   */
  software?: true;
}

/** One WGSL form of a kernel. A kernel lists its variants best first; the device takes the first that fits. */
export interface WebGpuVariant<B extends string = string, P extends string = string> {
  /** `plain`, `subgroups`, … */
  name: string;
  /** The WGSL text; its entry point is the kernel's id. */
  code: string;
  needs?: WebGpuNeeds;
  /** Whether this form can serve a launch (alignment of a dimension, a dtype); absent means always. */
  fits?: (facts: LaunchFacts<B, P>) => boolean;
  /** Values of the override constants. */
  constants?: (facts: LaunchFacts<B, P>, limits: WebGpuLimits) => Record<string, number>;
  workgroups: (facts: LaunchFacts<B, P>, limits: WebGpuLimits) => readonly [number, number, number];
}

/** The limits that `constants` and `workgroups` may depend on. */
export interface WebGpuLimits {
  maxInvocationsPerWorkgroup: number;
  maxWorkgroupStorageBytes: number;
  maxWorkgroupsPerDimension: number;
  /** 0 when the adapter offers no subgroups. */
  minSubgroupSize: number;
  maxSubgroupSize: number;
  /** Whether subgroups, all of 32 invocations, multiply 16 x 16 matrices of float16 into float32 sums. */
  subgroupMatrix: boolean;
  /** Whether WGSL has `dot4I8Packed` here, and the GPU's vendor builds it in; elsewhere it would be a dozen operations. */
  packedDot: boolean;
  /** Whether the adapter computes on the CPU. */
  software: boolean;
}

/**
 * A kernel as plain data: an id, its bindings, its parameters, and its source per backend.
 * `reference` is the readable implementation that the CPU device runs.
 */
export interface Kernel<
  Bindings extends Record<string, Binding> = Record<string, Binding>,
  Params extends Record<string, ParamType> = Record<string, ParamType>,
> {
  id: string;
  bindings: Bindings;
  params: Params;
  webgpu?: readonly WebGpuVariant<Extract<keyof Bindings, string>, Extract<keyof Params, string>>[];
  reference?: (
    buffers: { [K in keyof Bindings]: ReferenceView<Bindings[K]> },
    params: Readonly<Record<Extract<keyof Params, string>, number>>,
  ) => void;
}

/** Declares a kernel; its types are inferred from the literal. */
export function defineKernel<
  const Bindings extends Record<string, Binding>,
  const Params extends Record<string, ParamType>,
>(kernel: Kernel<Bindings, Params>): Kernel<Bindings, Params> {
  return kernel;
}

/** The views that a kernel's reference takes, by binding. */
export type ReferenceBuffers<Bindings extends Record<string, Binding>> = {
  [K in keyof Bindings]: ReferenceView<Bindings[K]>;
};

/** How WGSL override constants name a weight dtype; the same numbers in every kernel. */
export function dtypeCode(dtype: Dtype | undefined): number {
  switch (dtype) {
    case 'fp16':
      return 1;
    case 'bf16':
      return 2;
    default:
      return 0;
  }
}
