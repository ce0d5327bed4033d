import { type Device, type DeviceBuffer, DisposedError, ShapeError } from '@xlstm/device';
import type { LayerState } from '../layers/layer.ts';

/** The buffers of a layer's state. */
export function stateBuffers({ conv, cell }: LayerState): DeviceBuffer[] {
  return conv ? [conv.buffer, cell] : [cell];
}

/**
 * The past of `batch` independent sequences, constant in size: of every block its convolution's last inputs and its
 * cell's memory. Made by `createState()` of a stack or model; whoever made it disposes it.
 */
export class XlstmCoreState implements Disposable {
  readonly device: Device;
  readonly batch: number;
  /** Kind and sizes of every block; a model takes states of its own layout alone. */
  readonly layout: string;
  readonly blocks: readonly LayerState[];
  /** Steps read so far. */
  position = 0;
  #disposed = false;

  /** @throws ShapeError when batch is no positive integer; nothing stays allocated when the device refuses. */
  constructor(device: Device, batch: number, layout: string, create: readonly ((batch: number) => LayerState)[]) {
    if (!Number.isInteger(batch) || batch < 1) {
      throw new ShapeError(`createState: batch must be a positive integer, got ${batch}`);
    }
    this.device = device;
    this.batch = batch;
    this.layout = layout;
    const blocks: LayerState[] = [];
    try {
      for (const block of create) blocks.push(block(batch));
    } catch (error) {
      for (const buffer of blocks.flatMap(stateBuffers)) buffer.dispose();
      throw error;
    }
    this.blocks = blocks;
  }

  /** @throws DisposedError after `dispose()`, ShapeError for another batch. */
  assertUsable(operation: string, batch: number): void {
    if (this.#disposed) throw new DisposedError(`${operation}: the state was disposed; create a new one`);
    if (batch !== this.batch) {
      throw new ShapeError(
        `${operation}: the state is of ${this.batch} sequences, got ${batch}; create one of that batch`,
      );
    }
  }

  /** Forgets everything. */
  reset(): void {
    this.assertUsable('state.reset', this.batch);
    for (const buffer of this.blocks.flatMap(stateBuffers)) this.device.clear(buffer);
    this.position = 0;
  }

  /**
   * Forgets the past of one sequence; the others keep theirs.
   *
   * @param sequence its place in the batch
   * @throws ShapeError when there is none at that place.
   */
  resetSequence(sequence: number): void {
    this.assertUsable('state.resetSequence', this.batch);
    if (!Number.isInteger(sequence) || sequence < 0 || sequence >= this.batch) {
      throw new ShapeError(
        `state.resetSequence: the state is of ${this.batch} sequences, so the place must be an integer of 0 … ${this.batch - 1}, got ${sequence}`,
      );
    }
    for (const { conv, cell, cellPlanes } of this.blocks) {
      if (conv) this.#clear(conv.buffer, [(conv.rows * conv.cols) / this.batch], sequence);
      this.#clear(cell, cellPlanes, sequence);
    }
  }

  #clear(buffer: DeviceBuffer, planes: readonly number[], sequence: number): void {
    let start = 0;
    for (const width of planes) {
      this.device.upload(buffer, new Float32Array(width), start + sequence * width);
      start += this.batch * width;
    }
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const buffer of this.blocks.flatMap(stateBuffers)) buffer.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
