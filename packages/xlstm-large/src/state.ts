import { type Device, type DeviceBuffer, DisposedError, OptionError, ShapeError } from '@xlstm/device';
import { mlstmStateLength } from '@xlstm/mlstm-kernels';
import type { XlstmLargeConfig, XlstmLargeDims } from './config.ts';

/** What a block remembers, on the host: `c [B, NH, DHQK, DHHV]`, `n [B, NH, DHQK]`, `m [B, NH]`. */
export interface BlockState {
  c: Float32Array;
  n: Float32Array;
  m: Float32Array;
}

/** Bytes of a state of `batch` sequences: of each block's memory (C, n and m), of the last logits, and of all. */
export function stateBytes(
  config: XlstmLargeConfig,
  { DHQK, DHHV }: XlstmLargeDims,
  batch = 1,
): { block: number; logits: number; total: number } {
  const float = Float32Array.BYTES_PER_ELEMENT;
  const block = float * mlstmStateLength({ B: batch, NH: config.numHeads, DHQK, DHHV });
  const logits = float * batch * config.vocabSize;
  return { block, logits, total: config.numBlocks * block + logits };
}

/**
 * The whole past of one or several independent sequences, constant in size: the memory of every block, the logits
 * that predict the next token, and how many tokens were read. Float32 whatever the weights are.
 * Made by `model.createState()`; owned by whoever made it.
 */
export class XlstmState implements Disposable {
  readonly device: Device;
  readonly config: XlstmLargeConfig;
  readonly dims: XlstmLargeDims;
  /** Number of independent sequences. */
  readonly batch: number;
  /** One buffer per block with the planes C | n | m. */
  readonly blocks: readonly DeviceBuffer[];
  /** `[B, V]`: what the last token read predicts. Undefined contents while `position` is 0. */
  readonly logits: DeviceBuffer;
  /** Tokens read so far. */
  position = 0;
  /** The living states of one model, clones included: it disposes them with itself. */
  readonly #siblings: Set<XlstmState>;
  #disposed = false;
  #user: string | undefined;

  constructor(
    device: Device,
    config: XlstmLargeConfig,
    dims: XlstmLargeDims,
    batch = 1,
    siblings: Set<XlstmState> = new Set(),
  ) {
    if (!Number.isInteger(batch) || batch < 1) {
      throw new ShapeError(`createState: batch must be a positive integer, got ${batch}`);
    }
    this.device = device;
    this.config = config;
    this.dims = dims;
    this.batch = batch;
    const length = mlstmStateLength({ B: batch, NH: config.numHeads, DHQK: dims.DHQK, DHHV: dims.DHHV });
    const made: DeviceBuffer[] = [];
    try {
      for (let block = 0; block < config.numBlocks; block++) {
        made.push(device.alloc('fp32', length, { owner: 'state', label: `state of block ${block}` }));
      }
      made.push(device.alloc('fp32', batch * config.vocabSize, { owner: 'state', label: 'last logits' }));
    } catch (error) {
      for (const buffer of made) buffer.dispose();
      throw error;
    }
    this.logits = made.pop()!;
    this.blocks = made;
    this.#siblings = siblings.add(this);
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** Bytes on the device. */
  get byteLength(): number {
    return this.blocks.reduce((sum, buffer) => sum + buffer.byteLength, this.logits.byteLength);
  }

  /** @throws DisposedError after `dispose()`. */
  assertLive(operation: string): void {
    if (this.#disposed) throw new DisposedError(`${operation}: the state was disposed; create a new one`);
  }

  /** Reserves the state for one operation until the returned function is called; a second one at a time throws. */
  acquire(operation: string): () => void {
    this.assertLive(operation);
    if (this.#user !== undefined) {
      throw new OptionError(
        `${operation}: the state is in use by ${this.#user}; wait for it, or give each its own state (clone())`,
      );
    }
    this.#user = operation;
    return () => {
      this.#user = undefined;
    };
  }

  /** An independent copy: the same past, from here on two futures. */
  clone(): XlstmState {
    this.assertLive('state.clone');
    const copy = new XlstmState(this.device, this.config, this.dims, this.batch, this.#siblings);
    this.blocks.forEach((buffer, block) => {
      this.device.copy(buffer, copy.blocks[block]!);
    });
    this.device.copy(this.logits, copy.logits);
    copy.position = this.position;
    return copy;
  }

  /** Forgets everything. */
  reset(): void {
    this.assertLive('state.reset');
    for (const buffer of this.blocks) this.device.clear(buffer);
    this.device.clear(this.logits);
    this.position = 0;
  }

  #planes(): { c: number; n: number; m: number } {
    const heads = this.batch * this.config.numHeads;
    return { c: heads * this.dims.DHQK * this.dims.DHHV, n: heads * this.dims.DHQK, m: heads };
  }

  /** Reads one block's memory to the host. */
  async readBlock(block: number): Promise<BlockState> {
    this.assertLive('state.readBlock');
    const buffer = this.#block('state.readBlock', block);
    const data = (await this.device.read(buffer)) as Float32Array;
    const { c, n, m } = this.#planes();
    return { c: data.slice(0, c), n: data.slice(c, c + n), m: data.slice(c + n, c + n + m) };
  }

  /** Replaces one block's memory. @throws ShapeError when a plane's length is not the state's. */
  writeBlock(block: number, state: BlockState): void {
    this.assertLive('state.writeBlock');
    const buffer = this.#block('state.writeBlock', block);
    const sizes = this.#planes();
    for (const plane of ['c', 'n', 'm'] as const) {
      if (state[plane].length !== sizes[plane]) {
        throw new ShapeError(
          `state.writeBlock: plane ${plane} must have ${sizes[plane]} elements, got ${state[plane].length}; the state is of another model or batch`,
        );
      }
    }
    this.device.upload(buffer, state.c, 0);
    this.device.upload(buffer, state.n, sizes.c);
    this.device.upload(buffer, state.m, sizes.c + sizes.n);
  }

  #block(operation: string, block: number): DeviceBuffer {
    const buffer = this.blocks[block];
    if (!buffer) throw new ShapeError(`${operation}: block must be 0…${this.blocks.length - 1}, got ${block}`);
    return buffer;
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#siblings.delete(this);
    for (const buffer of this.blocks) buffer.dispose();
    this.logits.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
