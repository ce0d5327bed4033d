import type { Device } from '@xlstm/device';
import { hasMixedProducts, type Precision } from '@xlstm/tensor';
import type { TrainerConfig } from '../config/trainer-config.ts';
import { Engine } from '../training/engine.ts';
import { SizingDevice } from '../training/sizing-device.ts';
import { createModel } from './run-model.ts';
import type { RunSource } from './run-source.ts';

/** What a run needs. */
export interface TrainingEstimate {
  parameters: number;
  /**
   * Weights, gradients, moments, carried states, and whatever a step and an evaluation keep meanwhile; not what the device
   * needs for itself, nor samples.
   */
  bytes: number;
}

/**
 * What products are computed in: mixed precision where that is asked for and the device has units for it. There, operands are
 * fp16 with a power of two for each tensor, which has the range of bfloat16 and is finer; sums are float32.
 */
export function precisionOn(device: Device, config: TrainerConfig): Precision {
  return config.precision === 'bf16-mixed' && hasMixedProducts(device) ? 'mixed' : 'fp32';
}

/** The engine that a configuration asks for. */
export function createEngine(config: TrainerConfig, model: Engine['model'], length: number): Engine {
  const { train: sizes, optimizer } = config;
  return new Engine(model, {
    rows: sizes.microBatchSize,
    length,
    accumulation: sizes.globalBatchSize / sizes.microBatchSize,
    lr: optimizer.lr,
    betas: [optimizer.beta1, optimizer.beta2],
    eps: optimizer.eps,
    weightDecay: optimizer.weightDecay,
    maxNorm: sizes.maxNorm,
    dropout: sizes.dropout,
    recompute: sizes.recompute,
    carried: config.data?.packing === 'carried',
    seed: config.seed,
    precision: precisionOn(model.device, config),
  });
}

/**
 * What a run would hold on a device: everything that training and evaluation allocate, counted by the same code on a device that
 * allocates nothing.
 *
 * @throws ConfigError for a model that cannot be.
 */
export async function estimateTraining(
  device: Device,
  config: TrainerConfig,
  run: RunSource,
): Promise<TrainingEstimate> {
  const sizing = new SizingDevice(device);
  const model = await createModel(sizing, config, run);
  const engine = createEngine(config, model, run.source.length);
  prepareEngine(engine, run);
  const { bytes } = sizing.liveBuffers();
  const parameters = countParameters(model);
  engine.dispose();
  model.dispose();
  sizing.dispose();
  return { parameters, bytes };
}

/** Has the engine allocate all that it will: checkpoints and evaluations ask for a loss, tasks for predictions too. */
export function prepareEngine(engine: Engine, run: RunSource): void {
  engine.prepareEvaluation();
  run.prepareEvaluation(engine);
}

/** Elements of all parameters together. */
export function countParameters(model: Engine['model']): number {
  return model.parameters().reduce((sum, { value }) => sum + value.buffer.length, 0);
}
