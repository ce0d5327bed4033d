export { type MlstmCellInputs, type MlstmCellOptions, mlstmCell } from './cells/mlstm-cell.ts';
export { type SlstmCellInputs, type SlstmCellOptions, slstmCell } from './cells/slstm-cell.ts';
export { Fields, type RawFields } from './config/fields.ts';
export type { FeedForwardConfig, MlstmLayerConfig, SlstmBiasInit, SlstmLayerConfig } from './config/layer-config.ts';
export {
  type ConfigInput,
  parseBlockStackConfig,
  parseLmModelConfig,
  type XlstmBlockStackConfig,
  type XlstmLmModelConfig,
} from './config/stack-config.ts';
export { XLSTMBlockStack } from './model/block-stack.ts';
export { XlstmCoreState } from './model/core-state.ts';
export { type LossOptions, XLSTMLMModel } from './model/lm-model.ts';
export type { NewModelOptions, ParameterTensor } from './model/model-parameters.ts';
export type { ModelForwardOptions } from './model/stack-layers.ts';
