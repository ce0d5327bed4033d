import { OptionError } from '@xlstm/device';
import { forwardLogits } from '@xlstm/xlstm-large';
import type { XlstmModel } from 'xlstm';

/** How a converted model predicts a text, beside the one it was made from. */
export interface TextDivergence {
  tokens: number;
  /** Mean cross-entropy of the source in float32, nats per token. */
  sourceLoss: number;
  /** The same of the result. */
  loss: number;
  /** Mean Kullback-Leibler divergence of the result's predictions from the source's, nats per token. */
  kl: number;
  /** Largest of one token. */
  mostKl: number;
  /** Share of positions where both think the same token most probable. */
  sameTop: number;
}

/** log of the sum of exponentials, and the index of the largest. */
function normaliser(row: Float32Array): { log: number; top: number } {
  let top = 0;
  for (let v = 1; v < row.length; v++) if (row[v]! > row[top]!) top = v;
  let sum = 0;
  for (let v = 0; v < row.length; v++) sum += Math.exp(row[v]! - row[top]!);
  return { log: Math.log(sum) + row[top]!, top };
}

/**
 * Reads a text with both models, its first id the one that begins a text, and compares their predictions at each position.
 *
 * @throws OptionError for a text of no tokens.
 */
export async function textDivergence(
  source: XlstmModel,
  result: XlstmModel,
  text: string,
  options: { maxTokens: number; signal: AbortSignal; onProgress: (done: number, total: number) => void },
): Promise<TextDivergence> {
  const { tokenizer } = source;
  const begin = tokenizer.bosId ?? tokenizer.eosIds[0];
  const encoded = tokenizer.encode(text, { addBos: false }).slice(0, options.maxTokens);
  const ids = begin === undefined ? [...encoded] : [begin, ...encoded];
  if (ids.length < 2) throw new OptionError('convert: --text must hold text to predict, got fewer than 2 tokens');
  const inputs = [ids.slice(0, -1)];
  const V = source.config.vocabSize;
  const states = [source.model.createState(), result.model.createState()] as const;
  const sums = { sourceLoss: 0, loss: 0, kl: 0, mostKl: 0, sameTop: 0 };
  try {
    const { signal, onProgress } = options;
    const other = forwardLogits(result.model, inputs, states[1], { signal });
    for await (const { start, length, logits } of forwardLogits(source.model, inputs, states[0], {
      signal,
      onProgress,
    })) {
      const next = await other.next();
      if (next.done) break;
      for (let at = 0; at < length; at++) {
        const p = logits.subarray(at * V, (at + 1) * V);
        const q = next.value.logits.subarray(at * V, (at + 1) * V);
        const [ofP, ofQ] = [normaliser(p), normaliser(q)];
        const target = ids[start + at + 1]!;
        let kl = 0;
        for (let v = 0; v < V; v++) {
          const logP = p[v]! - ofP.log;
          kl += Math.exp(logP) * (logP - (q[v]! - ofQ.log));
        }
        sums.sourceLoss += ofP.log - p[target]!;
        sums.loss += ofQ.log - q[target]!;
        sums.kl += kl;
        sums.mostKl = Math.max(sums.mostKl, kl);
        sums.sameTop += ofP.top === ofQ.top ? 1 : 0;
      }
    }
  } finally {
    for (const state of states) state.dispose();
  }
  const tokens = ids.length - 1;
  return {
    tokens,
    sourceLoss: sums.sourceLoss / tokens,
    loss: sums.loss / tokens,
    kl: sums.kl / tokens,
    mostKl: sums.mostKl,
    sameTop: sums.sameTop / tokens,
  };
}
