export type { Device, DeviceChoice, FloatDtype } from '@xlstm/device';
export { XlstmError } from '@xlstm/device';
export { storedDtype } from './checkpoint-summary.ts';
export { type FromPretrainedOptions, fromPretrained, WEIGHT_DTYPES, XlstmModel } from './from-pretrained.ts';
export {
  type GenerateChunk,
  type GenerateOptions,
  type GenerateResult,
  GenerateStream,
  type GenerateUsage,
} from './generate-stream.ts';
export { StopStrings } from './stop-strings.ts';
export { checkpointWeights } from './weight-source.ts';
