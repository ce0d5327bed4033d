export type { MlstmBackwardInputs, MlstmGradients } from './backward-inputs.ts';
export type { MlstmInputs, MlstmOptions } from './inputs.ts';
export { mlstmBackwardGatesKernel } from './kernels/mlstm-backward-gates/index.ts';
export { mlstmBackwardInitialKernel } from './kernels/mlstm-backward-initial/index.ts';
export { mlstmBackwardRowsKernel } from './kernels/mlstm-backward-rows/index.ts';
export { mlstmChunkwiseBackwardKeysKernel } from './kernels/mlstm-chunkwise-backward-keys/index.ts';
export { mlstmChunkwiseBackwardQueriesKernel } from './kernels/mlstm-chunkwise-backward-queries/index.ts';
export { mlstmChunkwiseBackwardScoresKernel } from './kernels/mlstm-chunkwise-backward-scores/index.ts';
export { mlstmChunkwiseBackwardStatesKernel } from './kernels/mlstm-chunkwise-backward-states/index.ts';
export { mlstmChunkwiseBackwardValuesKernel } from './kernels/mlstm-chunkwise-backward-values/index.ts';
export { mlstmChunkwiseOutputsKernel } from './kernels/mlstm-chunkwise-outputs/index.ts';
export { mlstmChunkwiseStatesKernel } from './kernels/mlstm-chunkwise-states/index.ts';
export { mlstmParallelKernel } from './kernels/mlstm-parallel/index.ts';
export { mlstmStepKernel } from './kernels/mlstm-step/index.ts';
export { mlstmStepNormalizerKernel } from './kernels/mlstm-step-normalizer/index.ts';
export { slstmBackwardKernel } from './kernels/slstm-backward/index.ts';
export { slstmForwardKernel } from './kernels/slstm-forward/index.ts';
export { slstmGradientSumKernel } from './kernels/slstm-gradient-sum/index.ts';
export { slstmPackRecurrentKernel } from './kernels/slstm-pack-recurrent/index.ts';
export { slstmWeightGradientKernel } from './kernels/slstm-weight-gradient/index.ts';
export { headMajor, type Layout, type Operand, sequenceMajor } from './layout.ts';
export type { MlstmChunkwiseOptions } from './ops/chunks.ts';
export { mlstmChunkwise } from './ops/mlstm-chunkwise.ts';
export { type MlstmChunkwiseBackwardOptions, mlstmChunkwiseBackward } from './ops/mlstm-chunkwise-backward.ts';
export { mlstmParallel } from './ops/mlstm-parallel.ts';
export { type MlstmParallelBackwardOptions, mlstmParallelBackward } from './ops/mlstm-parallel-backward.ts';
export { mlstmRecurrent, mlstmStep } from './ops/mlstm-recurrent.ts';
export { mlstmSequence } from './ops/mlstm-sequence.ts';
export { slstm } from './ops/slstm.ts';
export { slstmBackward } from './ops/slstm-backward.ts';
export {
  type MlstmBackward,
  type MlstmKernel,
  mlstmKernelNames,
  selectMlstmBackward,
  selectMlstmKernel,
} from './registry.ts';
export type { MlstmShape } from './shape.ts';
export type { SlstmBackwardInputs, SlstmGradient, SlstmGradients, SlstmInputs } from './slstm-inputs.ts';
export { type SlstmInputLayout, type SlstmInputOperand, slstmInputLayout } from './slstm-layout.ts';
export type { SlstmBackwardOptions, SlstmOptions } from './slstm-options.ts';
export {
  type SlstmParameterLayout,
  type SlstmParameters,
  slstmCudaParameters,
  slstmPlainParameters,
  slstmRecurrentLayout,
} from './slstm-parameters.ts';
export { type SlstmShape, slstmSavedLength, slstmStateLength } from './slstm-shape.ts';
export { mlstmStateLength, readMlstmState, type StateShape } from './state.ts';
