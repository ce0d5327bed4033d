import type { WeightDtype } from '@xlstm/device';
import {
  type ParameterTable,
  parameterBytes,
  stateBytes,
  type XlstmLargeConfig,
  type XlstmLargeDims,
} from '@xlstm/xlstm-large';
import { WEIGHT_DTYPES } from 'xlstm';

/** Bytes that a loaded model takes with one sequence's state. */
export interface MemoryNeed {
  weights: number;
  state: number;
  total: number;
}

/** What each dtype of the matrices takes; gates, norms and biases are float32 with all of them. */
export function memoryNeeded(
  config: XlstmLargeConfig,
  table: ParameterTable,
  dims: XlstmLargeDims,
): Record<WeightDtype, MemoryNeed> {
  const state = stateBytes(config, dims).total;
  const need = (dtype: WeightDtype): MemoryNeed => {
    const weights = table.parameters.reduce((sum, plan) => sum + parameterBytes(plan, dtype), 0);
    return { weights, state, total: weights + state };
  };
  return Object.fromEntries(WEIGHT_DTYPES.map((dtype) => [dtype, need(dtype)])) as Record<WeightDtype, MemoryNeed>;
}
