import { Decoder, forwardLogits, generateTokens, prefill, type XLSTMLarge, type XlstmState } from '@xlstm/xlstm-large';
import { CaseError } from '../golden-case.ts';
import type { GoldenTensors } from '../golden-tensors.ts';
import type { Job } from '../job.ts';
import { measureIntegers } from '../measure.ts';

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

/** Tokens that greedy decoding adds to one prompt, as users ask for them. */
async function greedyRow(model: XLSTMLarge, promptIds: readonly number[], maxNewTokens: number): Promise<number[]> {
  const ids: number[] = [];
  for await (const { id } of generateTokens(model, { promptIds, maxNewTokens, temperature: 0, eosTokenIds: [] })) {
    ids.push(id);
  }
  return ids;
}

/** The same for several prompts of one length, decoded as one batch; row by row in the result. */
async function greedyBatch(
  model: XLSTMLarge,
  prompts: readonly (readonly number[])[],
  newTokens: number,
): Promise<number[]> {
  const state = model.createState(prompts.length);
  let decoder: Decoder | undefined;
  try {
    await prefill(model, prompts, state);
    decoder = new Decoder(model, state, { sampling: { temperature: 0, seed: 0 }, promptIds: [] });
    const ids = new Array<number>(prompts.length * newTokens).fill(Number.NaN);
    for (let at = 0; at < newTokens; at++) {
      if (at > 0) decoder.advance();
      for (const [row, id] of (await decoder.sample()).entries()) ids[row * newTokens + at] = id;
    }
    return ids;
  } finally {
    decoder?.dispose();
    state.dispose();
  }
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
    const [rows, newTokens] = shape;
    const [prompt] = prompts;
    if (shape.length !== 2 || rows !== prompts.length || !newTokens || !prompt) {
      throw new CaseError(`tensors.safetensors: ${name} must be [${prompts.length}, N] ids, got [${shape}]`);
    }
    const one = prompts.length === 1;
    const ids = await (one ? greedyRow(model, prompt, newTokens) : greedyBatch(model, prompts, newTokens));
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
