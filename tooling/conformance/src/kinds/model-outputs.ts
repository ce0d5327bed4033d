import { forwardLogits, generateTokens, type XLSTMLarge, type XlstmState } from '@xlstm/xlstm-large';
import { CaseError } from '../golden-case.ts';
import type { GoldenTensors } from '../golden-tensors.ts';
import type { Job } from '../job.ts';
import { measureIntegers, shapeMismatch } from '../measure.ts';

/** Logits `[B, S, V]` of rows of one length, read as one batch; `state` is then the past after all of them. */
export async function batchLogits(
  model: XLSTMLarge,
  rows: readonly (readonly number[])[],
  state: XlstmState,
): Promise<Float32Array> {
  const { vocabSize } = model.config;
  const total = rows[0]?.length ?? 0;
  // A position that no piece covers stays NaN.
  const all = new Float32Array(rows.length * total * vocabSize).fill(Number.NaN);
  for await (const { start, length, logits } of forwardLogits(model, rows, state)) {
    for (let b = 0; b < rows.length; b++) {
      const piece = logits.subarray(b * length * vocabSize, (b + 1) * length * vocabSize);
      all.set(piece, (b * total + start) * vocabSize);
    }
  }
  return all;
}

/** Reports the tensor `name [B, N]`: N tokens that greedy decoding adds to each of `prompts`. */
export async function reportGreedy(
  job: Job,
  model: XLSTMLarge,
  tensors: GoldenTensors,
  name: string,
  prompts: readonly (readonly number[])[],
): Promise<void> {
  await job.attempt([name], async () => {
    const shape = tensors.shape(name);
    const maxNewTokens = shape[1];
    const mismatch = shapeMismatch([prompts.length, maxNewTokens ?? 0], shape);
    if (mismatch || !maxNewTokens) {
      throw new CaseError(`tensors.safetensors: ${name} must be [${prompts.length}, N] ids, got [${shape}]`);
    }
    const ids: number[] = [];
    for (const promptIds of prompts) {
      const row: number[] = [];
      for await (const id of generateTokens(model, { promptIds, maxNewTokens, temperature: 0, eosTokenIds: [] })) {
        row.push(id);
      }
      ids.push(...row);
    }
    job.report(name, measureIntegers(ids, await tensors.integers(name)));
  });
}

/** Mean cross-entropy of `targets [B, T]` under the first T positions of `logits [B, S, V]`; negative ids are ignored. */
export function crossEntropy(
  logits: Float32Array,
  length: number,
  vocabSize: number,
  targets: readonly (readonly number[])[],
): number {
  let nats = 0;
  let count = 0;
  for (const [b, row] of targets.entries()) {
    for (const [at, target] of row.entries()) {
      if (target < 0) continue;
      const scores = logits.subarray((b * length + at) * vocabSize, (b * length + at + 1) * vocabSize);
      const most = scores.reduce((a, x) => Math.max(a, x), Number.NEGATIVE_INFINITY);
      let sum = 0;
      for (const score of scores) sum += Math.exp(score - most);
      nats += Math.log(sum) + most - scores[target]!;
      count++;
    }
  }
  return nats / count;
}
