export type { Device, DeviceChoice, WeightDtype } from '@xlstm/device';
export {
  CheckpointError,
  ConfigError,
  DeviceError,
  DeviceLostError,
  DisposedError,
  DtypeError,
  GradientError,
  NumericsError,
  OptionError,
  OutOfMemoryError,
  ShapeError,
  StateError,
  TokenizerError,
  XlstmError,
} from '@xlstm/device';
export { TransferError } from '@xlstm/loaders';
export type { BatchChunk, BatchOptions, BatchPrompt, BatchPrompts, GeneratedBatch } from './batch-options.ts';
export { BatchStream } from './batch-stream.ts';
export { storedDtype } from './checkpoint-summary.ts';
export { type TokenizerFiles, tokenizerOf } from './checkpoint-tokenizer.ts';
export { type EvaluateOptions, type Evaluation, evaluateText } from './evaluate-text.ts';
export { type FromPretrainedOptions, fromPretrained, WEIGHT_DTYPES, XlstmModel } from './from-pretrained.ts';
export type { GenerateOptions } from './generate-options.ts';
export { GenerateStream } from './generate-stream.ts';
export type { GenerateChunk, GeneratedText, GenerateResult, GenerateUsage } from './generated-text.ts';
export type { DownloadOptions, ModelSource } from './open-source.ts';
export type { NamedBlob, PickedFiles } from './picked-files.ts';
export { StopStrings } from './stop-strings.ts';
export { checkpointWeights } from './weight-source.ts';
