export { rmsNorm, rmsNormKernel } from './kernels/rms-norm/index.ts';
export { Scope } from './scope.ts';
export { elementCount, requireContiguous, Tensor } from './tensor.ts';
