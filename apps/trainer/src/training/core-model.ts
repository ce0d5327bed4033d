import { Arena, CheckpointError, type Device } from '@xlstm/device';
import { Scope, sampleToken, Tensor, type TrainableParameter } from '@xlstm/tensor';
import { XLSTMLMModel } from '@xlstm/xlstm-core';
import type { CarriedState, ContinueOptions, HostTensor, PassOptions, TrainableModel } from './trainable-model.ts';

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

  loss(scope: Scope, tokens: Tensor, targets: Tensor, { dropout, recompute }: PassOptions): Tensor {
    return this.model.loss(scope, tokens, targets, { dropout: dropout?.seed, recompute });
  }

  logits(scope: Scope, tokens: Tensor): Tensor {
    return this.model.forward(scope, tokens);
  }

  createCarriedState(): CarriedState {
    throw new CheckpointError('xlstm-core: states are not carried from batch to batch; take data.packing shuffled');
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
