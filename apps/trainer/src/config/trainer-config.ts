import type { DeviceChoice } from '@xlstm/device';
import type { ScheduleName } from '@xlstm/tensor';

/** What is trained. */
export type ModelConfig =
  | { kind: 'xlstm-large'; fields: Readonly<Record<string, unknown>> }
  | { kind: 'xlstm-core'; fields: Readonly<Record<string, unknown>> };

/** How text becomes ids. */
export type TokenizerConfig = { kind: 'bytes' } | { kind: 'file'; path: string } | { kind: 'bpe'; vocabSize: number };

/** One source of text or ids, by path or glob. */
export interface SourceConfig {
  path: string;
  /** Its share of the batches relative to the others'. */
  weight: number;
}

/** Where training text comes from. */
export interface DataConfig {
  train: readonly SourceConfig[];
  validation: readonly SourceConfig[];
  /** A line holding only this divides a text file into documents. */
  documentSeparator: string;
  sequenceLength: number;
  /** `shuffled`: windows in random order, each from an empty state; `carried`: rows walk on and keep their state. */
  packing: 'shuffled' | 'carried';
  /** Closes the forget gates where a document begins. */
  resetStatesAtDocuments: boolean;
}

/** A synthetic task instead of text. */
export interface TaskConfig {
  name: string;
  minLength: number;
  maxLength: number;
  /** Options of this task alone, such as `modulus`. */
  options: Readonly<Record<string, number | boolean>>;
  /** Shortest and longest sequence of each set that accuracy is measured on; the first is that of training. */
  evaluationRanges: readonly (readonly [number, number])[];
  /** Sequences of each set. */
  evaluationSequences: number;
}

/** A training run, validated. */
export interface TrainerConfig {
  outDir: string;
  seed: number;
  device: DeviceChoice;
  /** `bf16-mixed`: matrix products of 16-bit operands where the device has units for them, else as `fp32`. */
  precision: 'fp32' | 'bf16-mixed';
  model: ModelConfig;
  tokenizer: TokenizerConfig;
  data: DataConfig | undefined;
  task: TaskConfig | undefined;
  train: {
    maxSteps: number;
    globalBatchSize: number;
    /** Sequences of the first step; the batch grows evenly to `globalBatchSize` over `batchRampSteps`. */
    initialBatchSize: number;
    batchRampSteps: number;
    microBatchSize: number;
    maxNorm: number;
    dropout: number;
    recompute: boolean;
  };
  optimizer: { lr: number; beta1: number; beta2: number; eps: number; weightDecay: number };
  schedule: { name: ScheduleName; warmupSteps: number; finalLr: number; cooldownSteps: number | undefined };
  eval: { interval: number; batches: number; samples: readonly string[]; sampleTokens: number; temperature: number };
  checkpoint: { interval: number; keep: number };
  /** Dtype of exported weights. */
  exportDtype: 'fp32' | 'bf16';
  logger: { tensorboard: boolean; report: boolean };
}
