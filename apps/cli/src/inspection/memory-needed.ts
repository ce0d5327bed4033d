import { dtypeBytes, type FloatDtype } from '@xlstm/device';
import type { ParameterTable, XlstmLargeConfig, XlstmLargeDims } from '@xlstm/xlstm-large';
import { WEIGHT_DTYPES } from 'xlstm';

/** Bytes that a loaded model takes with one sequence's state. */
export interface MemoryNeed {
  weights: number;
  state: number;
  total: number;
}

/** Bytes of the state of one sequence: C, n and m of each block and the last logits, float32 always. */
export function stateBytes(config: XlstmLargeConfig, { DHQK, DHHV }: XlstmLargeDims): number {
  const block = config.numHeads * (DHQK * DHHV + DHQK + 1);
  return dtypeBytes('fp32') * (config.numBlocks * block + config.vocabSize);
}

/** What each dtype of the matrices takes; gates, norms and biases are float32 with all of them. */
export function memoryNeeded(
  config: XlstmLargeConfig,
  table: ParameterTable,
  dims: XlstmLargeDims,
): Record<FloatDtype, MemoryNeed> {
  const state = stateBytes(config, dims);
  const need = (dtype: FloatDtype): MemoryNeed => {
    const weights = table.parameters.reduce(
      (sum, { shape, precision }) =>
        sum + shape.reduce((product, size) => product * size, 1) * dtypeBytes(precision === 'weights' ? dtype : 'fp32'),
      0,
    );
    return { weights, state, total: weights + state };
  };
  return Object.fromEntries(WEIGHT_DTYPES.map((dtype) => [dtype, need(dtype)])) as Record<FloatDtype, MemoryNeed>;
}
