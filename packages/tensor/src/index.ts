export type { GradientTarget } from './gradient.ts';
export type { ActivationName } from './kernels/activation/functions.ts';
export { activationKernel, gelu, silu } from './kernels/activation/index.ts';
export {
  type ActivationBackwardInputs,
  type ActivationBackwardTargets,
  activationBackwardKernel,
  geluBackward,
  siluBackward,
} from './kernels/activation-backward/index.ts';
export { adamwKernel } from './kernels/adamw/index.ts';
export { addScaled, addScaledKernel } from './kernels/add-scaled/index.ts';
export { argmax, argmaxKernel } from './kernels/argmax/index.ts';
export { blockDiagonalLinearKernel } from './kernels/block-diagonal-linear/index.ts';
export { blockDiagonalWeightBackwardKernel } from './kernels/block-diagonal-weight-backward/index.ts';
export { type CausalConvInputs, causalConv, causalConvKernel } from './kernels/causal-conv/index.ts';
export {
  type CausalConvBackwardInputs,
  type CausalConvBackwardTargets,
  causalConvBackward,
  causalConvBackwardKernel,
} from './kernels/causal-conv-backward/index.ts';
export { causalConvWeightBackwardKernel } from './kernels/causal-conv-weight-backward/index.ts';
export { clipScaleKernel } from './kernels/clip-scale/index.ts';
export { columnSums, columnSumsKernel } from './kernels/column-sums/index.ts';
export { addTo, copyColumns, copyColumnsKernel, copyTo } from './kernels/copy-columns/index.ts';
export { crossEntropyKernel } from './kernels/cross-entropy/index.ts';
export { type DropoutOptions, dropout, dropoutBackward, dropoutKernel } from './kernels/dropout/index.ts';
export { embedding, embeddingKernel } from './kernels/embedding/index.ts';
export { embeddingBackward, embeddingBackwardKernel } from './kernels/embedding-backward/index.ts';
export { fill, fillKernel } from './kernels/fill/index.ts';
export { type FillWhereOptions, fillWhere, fillWhereKernel } from './kernels/fill-where/index.ts';
export {
  FUSED_LINEAR_MAX_ROWS,
  type FusedLinearOptions,
  type FusedLinearTensors,
  fusedLinear,
  fusedLinearKernel,
} from './kernels/fused-linear/index.ts';
export { gatedActivation, gatedActivationKernel, swiglu } from './kernels/gated-activation/index.ts';
export {
  type GatedActivationBackwardInputs,
  type GatedActivationBackwardTargets,
  gatedActivationBackward,
  gatedActivationBackwardKernel,
  swigluBackward,
} from './kernels/gated-activation-backward/index.ts';
export { type GatedSkipInputs, gatedSkip, gatedSkipKernel } from './kernels/gated-skip/index.ts';
export {
  type GatedSkipBackwardInputs,
  type GatedSkipBackwardTargets,
  gatedSkipBackward,
  gatedSkipBackwardKernel,
} from './kernels/gated-skip-backward/index.ts';
export { gatedSkipWeightBackwardKernel } from './kernels/gated-skip-weight-backward/index.ts';
export { type HeadLayerNormOptions, headLayerNorm, headLayerNormKernel } from './kernels/head-layer-norm/index.ts';
export {
  type HeadLayerNormBackwardInputs,
  type HeadLayerNormBackwardTargets,
  headLayerNormBackward,
  headLayerNormBackwardKernel,
} from './kernels/head-layer-norm-backward/index.ts';
export { matmulKernel } from './kernels/matmul/index.ts';
export { matmulBackwardKernel } from './kernels/matmul-backward/index.ts';
export { matmulMixedKernel } from './kernels/matmul-mixed/index.ts';
export { MATVEC_MAX_ROWS, matvecKernel } from './kernels/matvec/index.ts';
export { maxMagnitude, maxMagnitudeKernel } from './kernels/max-magnitude/index.ts';
export { nonFiniteKernel } from './kernels/non-finite/index.ts';
export { normWeightBackwardKernel } from './kernels/norm-weight-backward/index.ts';
export { randomBits, randomFill, randomFillKernel } from './kernels/random-fill/index.ts';
export { addInPlace, residual, residualKernel } from './kernels/residual/index.ts';
export { rmsNorm, rmsNormKernel } from './kernels/rms-norm/index.ts';
export {
  type RmsNormBackwardInputs,
  type RmsNormBackwardTargets,
  rmsNormBackward,
  rmsNormBackwardKernel,
} from './kernels/rms-norm-backward/index.ts';

export { type HalfTensor, roundToHalf, roundToHalfKernel } from './kernels/round-to-half/index.ts';
export {
  type SampleRowsTensors,
  type SampleTensors,
  sampleKernel,
  sampleRows,
  sampleToken,
  samplingSettings,
} from './kernels/sample/index.ts';
export {
  type CheckedSamplingOptions,
  checkSamplingOptions,
  type SamplingOptions,
} from './kernels/sample/options.ts';
export { SETTINGS_WORDS } from './kernels/sample/settings.ts';
export { softCap, softCapInPlace, softCapKernel } from './kernels/soft-cap/index.ts';
export {
  type SoftCapBackwardInputs,
  type SoftCapBackwardTargets,
  softCapBackward,
  softCapBackwardKernel,
} from './kernels/soft-cap-backward/index.ts';
export { sumOfSquaresKernel } from './kernels/sum-of-squares/index.ts';
export { sumPartialsKernel } from './kernels/sum-partials/index.ts';
export { targetMeanKernel } from './kernels/target-mean/index.ts';
export {
  type BlockDiagonalProjection,
  blockDiagonalLinear,
  blockDiagonalLinears,
} from './ops/block-diagonal-linear.ts';
export {
  type BlockDiagonalLinearBackwardInputs,
  type BlockDiagonalLinearBackwardTargets,
  blockDiagonalLinearBackward,
} from './ops/block-diagonal-linear-backward.ts';
export { type CrossEntropyLossInputs, crossEntropy, requireTargets } from './ops/cross-entropy.ts';
export { type LinearOptions, linear } from './ops/linear.ts';
export { type LinearBackwardInputs, type LinearBackwardTargets, linearBackward } from './ops/linear-backward.ts';
export {
  type CrossEntropyInputs,
  type CrossEntropyOptions,
  type CrossEntropyResult,
  type CrossEntropyTargets,
  checkTargets,
  linearCrossEntropy,
} from './ops/linear-cross-entropy.ts';
export { hasMixedProducts } from './ops/mixed-product.ts';
export { AdamW, type AdamWState, type StepOptions } from './optim/adamw.ts';
export type { AdamWOptions, CheckedAdamWOptions } from './optim/adamw-options.ts';
export { firstNonFinite } from './optim/gradient-norm.ts';
export {
  type CooldownOptions,
  createSchedule,
  SCHEDULES,
  type Schedule,
  type ScheduleName,
  type ScheduleOptions,
} from './optim/schedules.ts';
export type { TrainableParameter } from './parameter.ts';
export { type ParameterShape, Parameters } from './parameters.ts';
export {
  type DifferentiableOperation,
  type OperationGradients,
  type Precision,
  Scope,
  type ScopeOptions,
} from './scope.ts';
export type { Anomaly } from './tape/anomalies.ts';
export { type Differentiable, Tape, type TapeOptions } from './tape/tape.ts';
export { type Differentiator, elementCount, requireContiguous, requireShape, Tensor } from './tensor.ts';
export {
  type MatrixFormat,
  type MatrixPart,
  type MatrixRun,
  matrixBytes,
  splitRows,
  WeightMatrix,
} from './weight-matrix.ts';
