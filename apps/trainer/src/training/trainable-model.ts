import type { Device } from '@xlstm/device';
import type { Scope, Tensor, TrainableParameter } from '@xlstm/tensor';

/** A tensor on the host under its published name. */
export interface HostTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** What a pass through the model may be told. */
export interface PassOptions {
  /** Drops elements; off by default, as for evaluation. */
  dropout?: { p: number; seed: Tensor } | undefined;
  recompute?: boolean | undefined;
  /** The past that moves on; empty and forgotten by default. */
  carried?: CarriedState | undefined;
}

/** The past of a batch's rows, carried from one batch to the next. */
export interface CarriedState {
  /** Forgets the past of some rows. */
  restart(rows: Uint8Array): void;
  /** Everything remembered, for a checkpoint; `write` goes on from it. */
  read(): Promise<HostTensor[]>;
  write(tensors: ReadonlyMap<string, Float32Array>): void;
  dispose(): void;
}

/** What the trainer needs of a model; one adapter for each kind. */
export interface TrainableModel {
  readonly device: Device;
  readonly vocabSize: number;
  /** Everything about its shape, to tell runs apart. */
  readonly description: Readonly<Record<string, unknown>>;
  parameters(): readonly TrainableParameter[];
  /** The mean cross-entropy over the targets that count, `[1]`. */
  loss(scope: Scope, tokens: Tensor, targets: Tensor, options: PassOptions): Tensor;
  /** Logits `[B, S, V]`. */
  logits(scope: Scope, tokens: Tensor): Tensor;
  createCarriedState(rows: number): CarriedState;
  /** Every weight under its published name, one after another. */
  readWeights(): AsyncIterable<HostTensor>;
  /** Replaces every weight, all or none. @throws CheckpointError for a missing or misshapen one. */
  writeWeights(tensors: ReadonlyMap<string, HostTensor>): void;
  /** Text after a prompt. */
  continueText(promptIds: readonly number[], options: ContinueOptions): Promise<number[]>;
  dispose(): void;
}

/** How a sample is drawn. */
export interface ContinueOptions {
  tokens: number;
  temperature: number;
  seed: number;
  stopIds: readonly number[];
}
