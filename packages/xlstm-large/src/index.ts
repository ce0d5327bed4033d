export {
  type ConfigFormat,
  defaultDims,
  parseConfig,
  type XlstmLargeConfig,
  type XlstmLargeDims,
} from './config.ts';
export { Decoder, type DecoderOptions, type DecoderRowsOptions } from './decoder.ts';
export { evaluateWindows, type WindowOptions } from './evaluate-windows.ts';
export { Fingerprint } from './fingerprint.ts';
export {
  type FinishReason,
  type GeneratedToken,
  type GenerateOutcome,
  type GenerateTimings,
  type GenerateTokensOptions,
  generateTokens,
} from './generate.ts';
export { generateBatch } from './inference/batch-generate.ts';
export type {
  BatchEnd,
  BatchEvent,
  BatchRequest,
  BatchToken,
  GenerateBatchOptions,
} from './inference/batch-requests.ts';
export { RowSampling, type RowSamplingSizes } from './inference/row-sampling.ts';
export type { StepRunner, StepRunnerFactory } from './inference/step-runner.ts';
export { newXlstmLarge } from './initialise.ts';
export { type LoadProgress, type LoadWeightsOptions, loadWeights } from './load-weights.ts';
export type { TokenLogprobs } from './logprobs.ts';
export { type LossOptions, lastLogits, type TrainingForwardOptions, XLSTMLarge } from './model.ts';
export {
  countParameters,
  matrixFormat,
  type ParameterPlan,
  type ParameterTable,
  parameterBytes,
  parameterDtype,
  parameterTable,
  planParameters,
  type TensorPlace,
} from './parameters.ts';
export { evaluateLoss, forwardLogits, type PrefillOptions, prefill } from './prefill.ts';
export { type PrepareGenerationOptions, prepareGeneration } from './prepare-generation.ts';
export { randomXlstmLarge } from './random-weights.ts';
export { readWeights, type WeightTensor } from './read-weights.ts';
export { type BlockState, stateBytes, XlstmState } from './state.ts';
export { exportState, importState } from './state-bytes.ts';
export { readStateHeader, type StateHeader } from './state-format.ts';
export { TrainingStep, type TrainingStepOptions } from './training-step.ts';
export type { QuantizedPiece, WeightPiece, WeightSource } from './weight-source.ts';
export { allocateParameters, type ParameterReport, Weights } from './weights.ts';
