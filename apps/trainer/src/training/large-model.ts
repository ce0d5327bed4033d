import { CheckpointError, type Device, type DeviceBuffer } from '@xlstm/device';
import { elementCount, type Scope, type Tensor, type TrainableParameter } from '@xlstm/tensor';
import { Fields } from '@xlstm/xlstm-core';
import {
  generateTokens,
  newXlstmLarge,
  parameterTable,
  parseConfig,
  readWeights,
  type XLSTMLarge,
} from '@xlstm/xlstm-large';
import type { CarriedState, ContinueOptions, HostTensor, PassOptions, TrainableModel } from './trainable-model.ts';

/** States of a batch's rows: planes C, n and m of every block, in each of which a row is one run. */
class LargeState implements CarriedState {
  readonly state: ReturnType<XLSTMLarge['createState']>;
  readonly #device: Device;

  constructor(model: XLSTMLarge, rows: number) {
    this.state = model.createState(rows);
    this.#device = model.device;
  }

  restart(rows: Uint8Array): void {
    const { batch, blocks, config, dims } = this.state;
    const widths = [config.numHeads * dims.DHQK * dims.DHHV, config.numHeads * dims.DHQK, config.numHeads];
    const zeros = widths.map((width) => new Float32Array(width));
    for (let row = 0; row < batch; row++) {
      if (!rows[row]) continue;
      for (const buffer of blocks) this.#clearRow(buffer, row, batch, zeros);
    }
  }

  async read(): Promise<HostTensor[]> {
    const tensors: HostTensor[] = [];
    for (const [block, buffer] of this.state.blocks.entries()) {
      const data = (await this.#device.read(buffer)) as Float32Array;
      tensors.push({ name: `state.${block}`, shape: [data.length], data });
    }
    return tensors;
  }

  write(tensors: ReadonlyMap<string, Float32Array>): void {
    for (const [block, buffer] of this.state.blocks.entries()) {
      const data = tensors.get(`state.${block}`);
      if (data?.length !== buffer.length) {
        throw new CheckpointError(`resume: the carried state of block ${block} is missing or of another shape`);
      }
      this.#device.upload(buffer, data);
    }
  }

  dispose(): void {
    this.state.dispose();
  }

  #clearRow(buffer: DeviceBuffer, row: number, batch: number, zeros: readonly Float32Array[]): void {
    let plane = 0;
    for (const zero of zeros) {
      this.#device.upload(buffer, zero, plane + row * zero.length);
      plane += batch * zero.length;
    }
  }
}

/** Fields of the reference's configuration that say what a new model computes. */
const FIELDS = [
  'embedding_dim',
  'num_heads',
  'num_blocks',
  'use_bias',
  'norm_eps',
  'eps',
  'add_out_norm',
  'qk_dim_factor',
  'v_dim_factor',
  'ffn_proj_factor',
  'ffn_round_up_to_multiple_of',
  'gate_soft_cap',
  'output_logit_soft_cap',
  'tie_word_embeddings',
  'chunkwise_kernel',
  'bos_token_id',
  'eos_token_id',
  'pad_token_id',
] as const;

/** xLSTM Large as the trainer sees it. */
export class LargeTrainable implements TrainableModel {
  readonly device: Device;
  readonly vocabSize: number;
  readonly description: Readonly<Record<string, unknown>>;
  readonly model: XLSTMLarge;
  readonly #resetToken: number | undefined;

  private constructor(model: XLSTMLarge, fields: Readonly<Record<string, unknown>>, resetToken: number | undefined) {
    this.device = model.device;
    this.model = model;
    this.vocabSize = model.config.vocabSize;
    this.description = { kind: 'xlstm-large', vocab_size: this.vocabSize, ...fields };
    this.#resetToken = resetToken;
  }

  /** A new model. `resetToken` closes the forget gates wherever it stands. @throws ConfigError for fields that make none. */
  static async create(
    device: Device,
    fields: Readonly<Record<string, unknown>>,
    options: { vocabSize: number; seed: number; resetToken?: number | undefined },
  ): Promise<LargeTrainable> {
    const known = new Fields('model', fields);
    known.ignore('kind', ...FIELDS);
    known.refuseUnknown();
    const config = parseConfig({ ...fields, vocab_size: options.vocabSize }, 'native');
    const model = await newXlstmLarge(device, config, { seed: options.seed });
    return new LargeTrainable(model, fields, options.resetToken);
  }

  parameters(): readonly TrainableParameter[] {
    return this.model.parameters();
  }

  loss(scope: Scope, tokens: Tensor, targets: Tensor, { dropout, recompute, carried }: PassOptions): Tensor {
    return this.model.loss(scope, tokens, targets, {
      dropout,
      recompute,
      resetToken: this.#resetToken,
      state: carried instanceof LargeState ? carried.state : undefined,
    });
  }

  logits(scope: Scope, tokens: Tensor): Tensor {
    const hidden = this.model.forward(scope, tokens, undefined, { resetToken: this.#resetToken });
    const logits = this.model.logits(scope, hidden);
    scope.release(hidden);
    return logits;
  }

  createCarriedState(rows: number): CarriedState {
    return new LargeState(this.model, rows);
  }

  readWeights(): AsyncIterable<HostTensor> {
    return readWeights(this.model);
  }

  writeWeights(tensors: ReadonlyMap<string, HostTensor>): void {
    const table = parameterTable(this.model.config, this.model.dims);
    for (const { name, shape } of table.tensors) {
      const found = tensors.get(name);
      if (!found || found.data.length !== elementCount(shape)) {
        throw new CheckpointError(
          `resume: ${name} [${shape}] is missing or of another shape; the checkpoint is of another model`,
        );
      }
    }
    for (const { name, shape, parameter, row } of table.tensors) {
      const { buffer } = this.model.weights.get(parameter);
      this.device.upload(buffer, tensors.get(name)!.data, row * (shape[1] ?? 1));
    }
  }

  async continueText(promptIds: readonly number[], options: ContinueOptions): Promise<number[]> {
    const ids: number[] = [];
    const stream = generateTokens(this.model, {
      promptIds,
      maxNewTokens: options.tokens,
      temperature: options.temperature,
      seed: options.seed,
      eosTokenIds: [...options.stopIds],
    });
    for await (const { id } of stream) ids.push(id);
    return ids;
  }

  dispose(): void {
    this.model.dispose();
  }
}
