export { argmax, argmaxKernel } from './kernels/argmax/index.ts';
export { embedding, embeddingKernel } from './kernels/embedding/index.ts';
export { type HeadLayerNormOptions, headLayerNorm, headLayerNormKernel } from './kernels/head-layer-norm/index.ts';
export { addInPlace, residual, residualKernel } from './kernels/residual/index.ts';
export { rmsNorm, rmsNormKernel } from './kernels/rms-norm/index.ts';
export { type SampleTensors, sampleKernel, sampleToken } from './kernels/sample/index.ts';
export {
  type CheckedSamplingOptions,
  checkSamplingOptions,
  type SamplingOptions,
} from './kernels/sample/options.ts';
export { softCap, softCapInPlace, softCapKernel } from './kernels/soft-cap/index.ts';
export { swiglu, swigluKernel } from './kernels/swiglu/index.ts';
export { Scope } from './scope.ts';
export { elementCount, requireContiguous, requireShape, Tensor } from './tensor.ts';
