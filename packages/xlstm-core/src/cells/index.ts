export { type MlstmCellInputs, type MlstmCellOptions, mlstmCell } from './mlstm-cell.ts';
export { type SlstmCellInputs, type SlstmCellOptions, slstmCell } from './slstm-cell.ts';
