import type { TrainerConfig } from '../config/trainer-config.ts';
import type { TrainableModel } from '../training/trainable-model.ts';

const FLOAT = 4;
/** Values, gradients, and AdamW's two moments. */
const COPIES = 4;
/** Floats that a token leaves behind in a block for its backward, as a multiple of the model's width; measured. */
const KEPT_PER_BLOCK = 22;

/** What a run needs. */
export interface TrainingEstimate {
  parameters: number;
  /** Parameters, gradients, moments, activations and logits, roughly. */
  gigabytes: number;
}

/** Estimates the memory of a training step from the model's sizes. */
export function estimateTraining(config: TrainerConfig, model: TrainableModel, length: number): TrainingEstimate {
  const parameters = model.parameters().reduce((sum, { value }) => sum + value.buffer.length, 0);
  const { microBatchSize, recompute } = config.train;
  const { embedding_dim: width, num_blocks: blocks } = config.model.fields;
  const tokens = microBatchSize * length;
  const perToken =
    (Number(width) || 128) *
    (recompute ? KEPT_PER_BLOCK + (Number(blocks) || 1) : KEPT_PER_BLOCK * (Number(blocks) || 1));
  const bytes = FLOAT * (COPIES * parameters + tokens * perToken + Math.min(tokens * model.vocabSize, 2 ** 26));
  return { parameters, gigabytes: bytes / 1e9 };
}
