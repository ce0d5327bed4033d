import { type Device, type DeviceBuffer, DisposedError, OptionError, ShapeError, StateError } from '@xlstm/device';
import { mlstmStateLength } from '@xlstm/mlstm-kernels';
import type { XlstmLargeConfig, XlstmLargeDims } from './config.ts';
import { encodeState } from './state-format.ts';

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

/** What a model gives to the states that it makes. */
export interface StateMaker {
  readonly device: Device;
  readonly config: XlstmLargeConfig;
  readonly dims: XlstmLargeDims;
  readonly fingerprint: string;
  /** The model's living states, clones included: it disposes them with itself. */
  readonly states: Set<XlstmState>;
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
  readonly #maker: StateMaker;
  #disposed = false;
  #user: string | undefined;

  constructor(maker: StateMaker, batch = 1) {
    if (!Number.isInteger(batch) || batch < 1) {
      throw new ShapeError(`createState: batch must be a positive integer, got ${batch}`);
    }
    const { device, config, dims } = maker;
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
    this.#maker = maker;
    maker.states.add(this);
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /** Which model's past this is: its fingerprint. */
  get model(): string {
    return this.#maker.fingerprint;
  }

  /** Bytes on the device. */
  get byteLength(): number {
    return this.blocks.reduce((sum, buffer) => sum + buffer.byteLength, this.logits.byteLength);
  }

  /** @throws DisposedError after `dispose()`. */
  assertLive(operation: string): void {
    if (this.#disposed) throw new DisposedError(`${operation}: the state was disposed; create a new one`);
  }

  /**
   * @throws StateError where the state is another model's or on another device, whose memory would be read as if it were
   *   this model's
   */
  assertFor(operation: string, model: { readonly device: Device; readonly fingerprint: string }): void {
    this.assertLive(operation);
    if (this.model !== model.fingerprint) {
      throw new StateError(
        `${operation}: the state is of model ${this.model}, this model is ${model.fingerprint}; go on with the model that made it`,
      );
    }
    if (this.device !== model.device) {
      throw new StateError(
        `${operation}: the state is on another device than the model; bring it over with importState(await state.export())`,
      );
    }
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
    const copy = new XlstmState(this.#maker, this.batch);
    this.blocks.forEach((buffer, block) => {
      this.device.copy(buffer, copy.blocks[block]!);
    });
    this.device.copy(this.logits, copy.logits);
    copy.position = this.position;
    return copy;
  }

  /**
   * The state as bytes that any machine, device and dtype of the same model can go on from (`importState`): a header with
   * the model's fingerprint and the position (see `state-format.ts`), then per block the planes `C | n | m`, then the last
   * logits, all little-endian float32.
   *
   * @throws OptionError while a generation has the state; DisposedError, DeviceLostError
   * @example
   * ```ts
   * await writeFile('chat.state', await state.export())
   * ```
   */
  async export(): Promise<Uint8Array<ArrayBuffer>> {
    const release = this.acquire('state.export');
    try {
      const payload = new Uint8Array(stateBytes(this.config, this.dims, this.batch).total);
      let at = 0;
      for (const buffer of [...this.blocks, this.logits]) {
        const data = await this.device.read(buffer);
        payload.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
        at += data.byteLength;
      }
      const { model, position, batch } = this;
      const { numBlocks, numHeads, vocabSize } = this.config;
      const { DHQK, DHHV } = this.dims;
      return encodeState({ model, position, batch, numBlocks, numHeads, DHQK, DHHV, vocabSize }, payload);
    } finally {
      release();
    }
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
    this.#maker.states.delete(this);
    for (const buffer of this.blocks) buffer.dispose();
    this.logits.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
