export type { MlstmInputs, MlstmOptions } from './inputs.ts';
export { headMajor, type Layout, type Operand, sequenceMajor } from './layout.ts';
export { type MlstmChunkwiseOptions, mlstmChunkwise } from './ops/mlstm-chunkwise.ts';
export { mlstmParallel } from './ops/mlstm-parallel.ts';
export { mlstmRecurrent, mlstmStep } from './ops/mlstm-recurrent.ts';
export { mlstmSequence } from './ops/mlstm-sequence.ts';
export { type MlstmKernel, mlstmKernelNames, selectMlstmKernel } from './registry.ts';
export type { MlstmShape } from './shape.ts';
export { mlstmStateLength, readMlstmState, type StateShape } from './state.ts';
