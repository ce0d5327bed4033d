import type { DeviceBuffer } from '@xlstm/device';
import type { Scope, Tensor } from '@xlstm/tensor';

/** What a layer remembers of the sequence so far. */
export interface LayerState {
  /** The last K−1 inputs of the causal convolution, `[B, K−1, width]`; absent without convolution. */
  conv: Tensor | undefined;
  /** The cell's state: planes one after another, each of which begins with the batch. */
  cell: DeviceBuffer;
  /** Elements of each plane of `cell` that belong to one sequence. */
  cellPlanes: readonly number[];
}

/** What a forward pass may be given besides its input. */
export interface ForwardOptions {
  /** The past, which moves on; an empty one that is forgotten by default. */
  state?: LayerState | undefined;
  /** `[2]` u32, seed and step: turns dropout on and says which elements are dropped; off by default, as for evaluation. */
  dropout?: Tensor | undefined;
}

/** A layer: maps `x [B, S, D]` to `[B, S, D]` after its past. */
export interface Layer {
  forward(scope: Scope, x: Tensor, options: ForwardOptions): Tensor;
  createState(batch: number): LayerState;
}
