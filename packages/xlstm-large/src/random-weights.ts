import type { Device, FloatDtype } from '@xlstm/device';
import { randomFill } from '@xlstm/tensor';
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
  options: { dtype: FloatDtype; seed?: number },
): Promise<XLSTMLarge> {
  const dims = defaultDims(config);
  const table = parameterTable(config, dims);
  const tensors = allocateParameters(device, table, options.dtype);
  const fingerprint = new Fingerprint();
  for (const { name, shape } of table.tensors) fingerprint.name(name, shape);
  fingerprint.name(`random ${options.seed ?? 1}`, []);
  const weights = new Weights(config, dims, options.dtype, tensors, fingerprint.digest());
  try {
    let seed = options.seed ?? 1;
    for (const { name, shape } of table.parameters) {
      const scale = shape.length === 1 ? 0.1 : Math.sqrt(3 / shape[1]!);
      randomFill(device, tensors.get(name)!.buffer, { seed: seed++, scale, mean: meanOf(name) });
      if (seed % 16 === 0) await device.sync();
    }
    await device.sync();
    return new XLSTMLarge(device, weights);
  } catch (error) {
    weights.dispose();
    throw error;
  }
}
