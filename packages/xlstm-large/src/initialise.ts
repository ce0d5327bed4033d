import { type Device, OptionError } from '@xlstm/device';
import { elementCount } from '@xlstm/tensor';
import { constant, type Initialiser, linspace, smallInit, wangInit } from '@xlstm/xlstm-core/initialisers';
import { defaultDims, type XlstmLargeConfig } from './config.ts';
import { XLSTMLarge } from './model.ts';
import { parameterTable } from './parameters.ts';
import type { WeightPiece, WeightSource } from './weight-source.ts';

/** Bias of the input gate: closed at first, so that a new model is stable (xLSTM 7B, 2503.13427, section 3.2). */
const INPUT_GATE_BIAS = -10;

/** What the tensor of that published name is filled with. */
function initialiserOf(name: string, { embeddingDim, numBlocks }: XlstmLargeConfig): Initialiser {
  if (name.endsWith('igate_preact.bias')) return constant(INPUT_GATE_BIAS);
  if (name.endsWith('fgate_preact.bias')) return linspace(3, 6);
  if (name.includes('gate_preact.weight') && !name.includes('ogate')) return constant(0);
  if (name.endsWith('.bias')) return constant(0);
  if (name.includes('norm')) return constant(1);
  if (name.endsWith('out_proj.weight') || name.endsWith('proj_down.weight')) return wangInit(embeddingDim, numBlocks);
  return smallInit(embeddingDim);
}

/**
 * A new model, initialised as the paper trains it: small initialisation, Wang's for projections back into the residual
 * stream, gate weights 0, input-gate bias −10, forget-gate bias from 3 to 6 over the heads.
 *
 * @param options.seed the same seed gives the same weights; default 0
 * @throws ConfigError when sizes do not fit together, OutOfMemoryError when the device cannot hold the model.
 * Source: xLSTM 7B (2503.13427), section 3.
 * @example
 * ```ts
 * const model = await newXlstmLarge(device, parseConfig(raw, 'native'), { seed: 1 })
 * ```
 */
export async function newXlstmLarge(
  device: Device,
  config: XlstmLargeConfig,
  options: { seed?: number } = {},
): Promise<XLSTMLarge> {
  const { seed = 0 } = options;
  if (!Number.isInteger(seed)) throw new OptionError(`newXlstmLarge: seed must be an integer, got ${seed}`);
  const table = parameterTable(config, defaultDims(config));
  const shapes = new Map(table.tensors.map(({ name, shape }) => [name, shape]));
  const source: WeightSource = {
    shapeOf: (name) => shapes.get(name),
    *stream(name): Iterable<WeightPiece> {
      const data = initialiserOf(name, config)(elementCount(shapes.get(name)!), name, seed);
      yield { elementOffset: 0, data };
    },
  };
  return XLSTMLarge.load(device, config, source, { dtype: 'fp32' });
}
