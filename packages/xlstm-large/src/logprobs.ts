/** How likely a token was, and which were the most likely ones in its place. */
export interface TokenLogprobs {
  /** Natural logarithm of the token's probability. */
  logprob: number;
  /** The most likely tokens, best first. */
  top: readonly { id: number; logprob: number }[];
}

/** log softmax of `logits [V]` at `id` and at its `count` largest entries; float64 inside. */
export function logprobsOf(logits: Float32Array, id: number, count: number): TokenLogprobs {
  let most = Number.NEGATIVE_INFINITY;
  for (const logit of logits) most = Math.max(most, logit);
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - most);
  const normalizer = most + Math.log(sum);
  const best: number[] = [];
  for (let index = 0; count > 0 && index < logits.length; index++) {
    if (best.length === count && logits[index]! <= logits[best[count - 1]!]!) continue;
    const place = best.findIndex((other) => logits[index]! > logits[other]!);
    best.splice(place < 0 ? best.length : place, 0, index);
    if (best.length > count) best.pop();
  }
  return {
    logprob: logits[id]! - normalizer,
    top: best.map((token) => ({ id: token, logprob: logits[token]! - normalizer })),
  };
}
