import { Arena, CheckpointError, type Device, type DeviceBuffer } from '@xlstm/device';
import { Scope, sampleToken, Tensor, type TrainableParameter } from '@xlstm/tensor';
import { XLSTMLMModel, type XlstmCoreState } from '@xlstm/xlstm-core';
import type { CarriedState, ContinueOptions, HostTensor, PassOptions, TrainableModel } from './trainable-model.ts';

/** States of a batch's rows: of every block its convolution's last inputs and its cell's memory. */
class CoreState implements CarriedState {
  readonly state: XlstmCoreState;
  readonly #device: Device;

  constructor(model: XLSTMLMModel, rows: number) {
    this.state = model.createState(rows);
    this.#device = model.device;
  }

  restart(rows: Uint8Array): void {
    for (const [row, restarts] of rows.entries()) if (restarts) this.state.resetSequence(row);
  }

  async read(): Promise<HostTensor[]> {
    const tensors: HostTensor[] = [];
    for (const { name, buffer } of this.#buffers()) {
      const data = (await this.#device.read(buffer)) as Float32Array;
      tensors.push({ name, shape: [data.length], data });
    }
    return tensors;
  }

  write(tensors: ReadonlyMap<string, Float32Array>): void {
    const buffers = this.#buffers();
    for (const { name, buffer } of buffers) {
      if (tensors.get(name)?.length === buffer.length) continue;
      throw new CheckpointError(`resume: the carried ${name} is missing or of another shape; carry the same rows`);
    }
    for (const { name, buffer } of buffers) this.#device.upload(buffer, tensors.get(name)!);
  }

  dispose(): void {
    this.state.dispose();
  }

  #buffers(): { name: string; buffer: DeviceBuffer }[] {
    return this.state.blocks.flatMap(({ conv, cell }, block) => [
      ...(conv ? [{ name: `inputs.${block}`, buffer: conv.buffer }] : []),
      { name: `state.${block}`, buffer: cell },
    ]);
  }
}

/** The first paper's language model as the trainer sees it. */
export class CoreTrainable implements TrainableModel {
  readonly device: Device;
  readonly vocabSize: number;
  readonly description: Readonly<Record<string, unknown>>;
  readonly model: XLSTMLMModel;

  /** @throws ConfigError for fields that make no model. */
  constructor(
    device: Device,
    fields: Readonly<Record<string, unknown>>,
    options: { vocabSize: number; seed: number; dropout: number },
  ) {
    this.device = device;
    this.vocabSize = options.vocabSize;
    const config = { dropout: options.dropout, ...fields, vocab_size: options.vocabSize };
    this.description = { kind: 'xlstm-core', ...config };
    this.model = new XLSTMLMModel(device, config, { seed: options.seed });
  }

  parameters(): readonly TrainableParameter[] {
    return this.model.parameters();
  }

  loss(scope: Scope, tokens: Tensor, targets: Tensor, { dropout, recompute, carried }: PassOptions): Tensor {
    const state = carried instanceof CoreState ? carried.state : undefined;
    return this.model.loss(scope, tokens, targets, { dropout: dropout?.seed, recompute, state });
  }

  logits(scope: Scope, tokens: Tensor): Tensor {
    return this.model.forward(scope, tokens);
  }

  createCarriedState(rows: number): CarriedState {
    return new CoreState(this.model, rows);
  }

  async *readWeights(): AsyncIterable<HostTensor> {
    yield* await this.model.readWeights();
  }

  writeWeights(tensors: ReadonlyMap<string, HostTensor>): void {
    this.model.writeWeights(tensors.values());
  }

  async continueText(promptIds: readonly number[], options: ContinueOptions): Promise<number[]> {
    const arena = new Arena(this.device, 'sample');
    const state = this.model.createState();
    const own = (dtype: 'i32' | 'u32') => new Tensor(arena.alloc(dtype, 1), [1]);
    const [token, counter] = [own('i32'), own('u32')];
    const made: number[] = [];
    try {
      const queue = promptIds.length > 0 ? [...promptIds] : [0];
      while (made.length < options.tokens) {
        const scope = new Scope(arena);
        let logits: Tensor | undefined;
        for (const id of queue.splice(0)) {
          if (logits) scope.release(logits);
          const input = scope.tensor([1, 1], 'i32', 'token');
          this.device.upload(input.buffer, Int32Array.of(id));
          logits = this.model.step(scope, input, state);
        }
        this.device.upload(counter.buffer, Uint32Array.of(made.length));
        const row = logits!.reshape([1, this.vocabSize]);
        sampleToken(
          scope,
          { logits: row, token, counter },
          { temperature: options.temperature, seed: BigInt(options.seed) },
        );
        const id = (await this.device.read(token.buffer))[0]!;
        scope.dispose();
        if (options.stopIds.includes(id)) break;
        made.push(id);
        queue.push(id);
      }
    } finally {
      state.dispose();
      arena.dispose();
    }
    return made;
  }

  dispose(): void {
    this.model.dispose();
  }
}
