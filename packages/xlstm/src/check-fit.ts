import { type Device, OutOfMemoryError, type WeightDtype } from '@xlstm/device';
import type { Checkpoint } from '@xlstm/loaders';
import { parameterBytes, parseConfig, planParameters, stateBytes } from '@xlstm/xlstm-large';
import { storedDtype } from './checkpoint-summary.ts';

/** What comes on top of weights and one state: the runtime itself, a piece of a file, temporaries of a prompt's piece. */
const WORK_SPACE_BYTES = 128 * 2 ** 20;

/**
 * Holds a checkpoint, of which no more than headers need to be at hand, against what a device can bind and, where that can
 * be known, hold: before a byte of weights is read.
 *
 * @throws OutOfMemoryError that names what does not fit and the numbers; CheckpointError or ConfigError for a checkpoint
 *   that could not be loaded anyway
 */
export function checkFit(device: Device, checkpoint: Checkpoint, dtype: WeightDtype | undefined): void {
  const config = parseConfig(checkpoint.config, checkpoint.configFormat);
  const { table, dims } = planParameters(config, (name) => checkpoint.tensors.get(name)?.shape);
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
  const { memoryBytes } = device;
  if (memoryBytes === undefined) return;
  const weightsIn = (dtype: WeightDtype) =>
    table.parameters.reduce((sum, plan) => sum + parameterBytes(plan, dtype), 0);
  const weights = weightsIn(kept);
  const state = stateBytes(config, dims).total;
  const rest = state + WORK_SPACE_BYTES;
  if (weights + rest <= memoryBytes) return;
  const half = weightsIn('bf16') + rest;
  const remedy = half <= memoryBytes ? `dtype bf16 needs ${half}` : 'use a smaller model or another device';
  throw new OutOfMemoryError(
    `fromPretrained: the model needs ${weights + rest} bytes in ${kept} (weights ${weights}, a state ${state}, work space ${WORK_SPACE_BYTES}), ${device.name} has ${memoryBytes} in all; ${remedy}`,
  );
}
