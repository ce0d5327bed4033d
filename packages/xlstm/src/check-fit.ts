import { type Device, type FloatDtype, OutOfMemoryError } from '@xlstm/device';
import type { Checkpoint } from '@xlstm/loaders';
import { parameterBytes, parseConfig, planParameters } from '@xlstm/xlstm-large';
import { storedDtype } from './checkpoint-summary.ts';

/**
 * Holds a checkpoint, of which no more than headers need to be at hand, against what a device can bind: before a byte of
 * weights is fetched.
 *
 * @throws OutOfMemoryError that names the parameter and the number that does not fit; CheckpointError or ConfigError for
 *   a checkpoint that could not be loaded anyway
 */
export function checkFit(device: Device, checkpoint: Checkpoint, dtype: FloatDtype | undefined): void {
  const config = parseConfig(checkpoint.config, checkpoint.configFormat);
  const { table } = planParameters(config, (name) => checkpoint.tensors.get(name)?.shape);
  const kept = dtype ?? storedDtype(checkpoint);
  for (const plan of table.parameters) {
    const { name, shape } = plan;
    const bytes = parameterBytes(plan, kept);
    if (bytes > device.maxBufferBytes) {
      throw new OutOfMemoryError(
        `fromPretrained: parameter ${name} [${shape}] needs ${bytes} bytes in ${kept}, ${device.name} binds at most ${device.maxBufferBytes}; use a smaller dtype or another device`,
      );
    }
  }
}
