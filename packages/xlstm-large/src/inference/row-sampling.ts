import type { Device, DeviceBuffer } from '@xlstm/device';
import { type SamplingOptions, SETTINGS_WORDS, samplingSettings, Tensor } from '@xlstm/tensor';

/** How many sequences there are and what their sampling needs. */
export interface RowSamplingSizes {
  batch: number;
  vocabSize: number;
  /** Whether any sequence has a repetition penalty, for which the tokens seen so far are kept. */
  penalised: boolean;
}

/** How each sequence of a batch is sampled, on the device: settings, counts of draws, tokens seen. */
export class RowSampling implements Disposable {
  /** As `sampleRows` takes them: `settings [B, 8]`, `counter [B]`, and `seen [B, V]` where a sequence is penalised. */
  readonly tensors: { settings: Tensor; counter: Tensor; seen?: Tensor };
  readonly #device: Device;
  readonly #vocabSize: number;
  readonly #buffers: DeviceBuffer[] = [];

  constructor(device: Device, { batch, vocabSize, penalised }: RowSamplingSizes) {
    this.#device = device;
    this.#vocabSize = vocabSize;
    const own = (shape: [number] | [number, number], label: string): Tensor => {
      const buffer = device.alloc('u32', shape[0] * (shape[1] ?? 1), { owner: 'decode', label });
      this.#buffers.push(buffer);
      return new Tensor(buffer, shape);
    };
    try {
      this.tensors = {
        settings: own([batch, SETTINGS_WORDS], 'sampling settings'),
        counter: own([batch], 'random counters'),
        ...(penalised ? { seen: own([batch, vocabSize], 'seen tokens') } : {}),
      };
    } catch (error) {
      this.dispose();
      throw error;
    }
    for (let row = 0; row < batch; row++) this.idle(row);
  }

  /** A sequence begins in a row: it will be drawn as `generateTokens` draws it alone. */
  begin(row: number, sampling: SamplingOptions, promptIds: ArrayLike<number>): void {
    const { settings, counter, seen } = this.tensors;
    this.#device.upload(settings.buffer, samplingSettings(sampling, this.#vocabSize), row * SETTINGS_WORDS);
    this.#device.upload(counter.buffer, new Uint32Array(1), row);
    if (!seen || (sampling.repetitionPenalty ?? 1) === 1) return;
    const marks = new Uint32Array(this.#vocabSize);
    for (let at = 0; at < promptIds.length; at++) marks[promptIds[at]!] = 1;
    this.#device.upload(seen.buffer, marks, row * this.#vocabSize);
  }

  /** Nobody is in a row: what is drawn there, in the cheapest way, is not used. */
  idle(row: number): void {
    const greedy = samplingSettings({ temperature: 0, seed: 0 }, this.#vocabSize);
    this.#device.upload(this.tensors.settings.buffer, greedy, row * SETTINGS_WORDS);
  }

  /** A sequence moves here from a row of another batch. */
  take(row: number, from: RowSampling, fromRow: number): void {
    for (const [name, width] of [
      ['settings', SETTINGS_WORDS],
      ['counter', 1],
      ['seen', this.#vocabSize],
    ] as const) {
      const [source, target] = [from.tensors[name], this.tensors[name]];
      if (source && target) this.#device.copy(source.buffer, target.buffer, fromRow * width, row * width, width);
    }
  }

  dispose(): void {
    for (const buffer of this.#buffers) buffer.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
