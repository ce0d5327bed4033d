import { type Device, isQuantizedDtype, type WeightDtype } from '@xlstm/device';
import { randomBits, randomFill, WeightMatrix } from '@xlstm/tensor';
import { defaultDims, type XlstmLargeConfig } from './config.ts';
import { Fingerprint } from './fingerprint.ts';
import { XLSTMLarge } from './model.ts';
import { parameterTable } from './parameters.ts';
import { allocateParameters, Weights } from './weights.ts';

/** Mean of a parameter's random values: norms around 1, all else around 0. */
function meanOf(name: string): number {
  if (name.endsWith('.bias')) return 0;
  return /norm/i.test(name) ? 1 : 0;
}

/** Root mean square of codes whose bits are random: 256 or 16 values around −½. */
const CODES_RMS = { q8: Math.sqrt(65536 / 12 + 1 / 6), q4: Math.sqrt(256 / 12 + 1 / 6) } as const;

/** Fills a matrix with values around 0 of the deviation 1/√K, in each of its parts from a seed of its own; returns the next. */
function fillMatrix(device: Device, { dtype, shape: [, K], parts }: WeightMatrix, firstSeed: number): number {
  let seed = firstSeed;
  const scale = Math.sqrt(3 / K);
  for (const { data, scales } of parts) {
    if (scales && isQuantizedDtype(dtype)) {
      randomBits(device, data, { seed: seed++ });
      // Of both signs: codes have the mean −½, products then have none.
      randomFill(device, scales, { seed: seed++, scale: scale / CODES_RMS[dtype] });
    } else randomFill(device, data, { seed: seed++, scale });
  }
  return seed;
}

/**
 * A model of any size with random weights made on the device, without a checkpoint: for benchmarks and for trying a
 * shape. Matrices are uniform with the deviation 1/√(inputs), so that activations neither vanish nor blow up.
 *
 * @example
 * ```ts
 * const model = await randomXlstmLarge(device, parseConfig(raw, 'huggingface'), { dtype: 'bf16' })
 * ```
 */
export async function randomXlstmLarge(
  device: Device,
  config: XlstmLargeConfig,
  options: { dtype: WeightDtype; seed?: number },
): Promise<XLSTMLarge> {
  const dims = defaultDims(config);
  const table = parameterTable(config, dims);
  const parameters = allocateParameters(device, table, options.dtype);
  const fingerprint = new Fingerprint();
  for (const { name, shape } of table.tensors) fingerprint.name(name, shape);
  fingerprint.name(`random ${options.seed ?? 1}`, []);
  const weights = new Weights(config, dims, options.dtype, parameters, fingerprint.digest());
  try {
    let seed = options.seed ?? 1;
    for (const [name, parameter] of parameters) {
      if (parameter instanceof WeightMatrix) seed = fillMatrix(device, parameter, seed);
      else randomFill(device, parameter.buffer, { seed: seed++, scale: 0.1, mean: meanOf(name) });
      await device.sync();
    }
    return new XLSTMLarge(device, weights);
  } catch (error) {
    weights.dispose();
    throw error;
  }
}
