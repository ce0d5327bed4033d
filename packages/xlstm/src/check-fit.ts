import { type Device, OutOfMemoryError, type WeightDtype } from '@xlstm/device';
import { type Checkpoint, weightShape } from '@xlstm/loaders';
import { splitRows } from '@xlstm/tensor';
import {
  matrixFormat,
  type ParameterPlan,
  parameterBytes,
  parseConfig,
  planParameters,
  stateBytes,
} from '@xlstm/xlstm-large';
import { storedDtype } from './checkpoint-summary.ts';

/** What comes on top of weights and one state: the runtime itself, a piece of a file, temporaries of a prompt's piece. */
const WORK_SPACE_BYTES = 128 * 2 ** 20;

/** Throws unless each part of a parameter, which is split by rows where it must be, can be bound. */
function checkParameter(device: Device, plan: ParameterPlan, dtype: WeightDtype, group: number | undefined): void {
  const { name, shape } = plan;
  const [rows = 0, cols = 1] = shape;
  try {
    splitRows(name, matrixFormat(plan, dtype, group), [rows, shape.length > 1 ? cols : 1], device.maxBufferBytes);
  } catch (cause) {
    if (!(cause instanceof OutOfMemoryError)) throw cause;
    throw new OutOfMemoryError(
      `fromPretrained: parameter ${name} [${shape}] cannot be split by rows into parts that ${device.name} binds, which are at most ${device.maxBufferBytes} bytes: ${cause.message}`,
      { cause },
    );
  }
}

/**
 * Holds a checkpoint, of which no more than headers need to be at hand, against what a device can bind and, where that can
 * be known, hold: before a byte of weights is read. Matrices larger than a binding are split by rows; what cannot be split is
 * a single row, or the memory of one block.
 *
 * @throws OutOfMemoryError that names what does not fit and the numbers; CheckpointError or ConfigError for a checkpoint
 *   that could not be loaded anyway
 */
export function checkFit(device: Device, checkpoint: Checkpoint, dtype: WeightDtype | undefined): void {
  const config = parseConfig(checkpoint.config, checkpoint.configFormat);
  const { table, dims } = planParameters(config, (name) => weightShape(checkpoint, name));
  const kept = dtype ?? storedDtype(checkpoint);
  const group = checkpoint.quantization?.group;
  for (const plan of table.parameters) checkParameter(device, plan, kept, group);
  const { block, total: state } = stateBytes(config, dims);
  if (block > device.maxBufferBytes) {
    throw new OutOfMemoryError(
      `fromPretrained: the memory of a block, ${config.numHeads} heads of ${dims.DHQK} x ${dims.DHHV} in float32, needs ${block} bytes in one piece, ${device.name} binds at most ${device.maxBufferBytes}; use another device`,
    );
  }
  const { memoryBytes } = device;
  if (memoryBytes === undefined) return;
  const weightsIn = (dtype: WeightDtype) =>
    table.parameters.reduce((sum, plan) => sum + parameterBytes(plan, dtype, group), 0);
  const weights = weightsIn(kept);
  const rest = state + WORK_SPACE_BYTES;
  if (weights + rest <= memoryBytes) return;
  const smaller = (['bf16', 'q8', 'q4'] as const).find((dtype) => weightsIn(dtype) + rest <= memoryBytes);
  const remedy = smaller
    ? `dtype ${smaller} needs ${weightsIn(smaller) + rest}`
    : 'use a smaller model or another device';
  throw new OutOfMemoryError(
    `fromPretrained: the model needs ${weights + rest} bytes in ${kept} (weights ${weights}, a state ${state}, work space ${WORK_SPACE_BYTES}), ${device.name} has ${memoryBytes} in all; ${remedy}`,
  );
}
