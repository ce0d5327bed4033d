import type { SamplingOptions } from './options.ts';

/**
 * The distribution that sampling promises, by sorting: [V] probabilities, 0 where a token may never be drawn. Written
 * apart from the kernel, for its tests.
 */
export function naiveDistribution(
  logits: ArrayLike<number>,
  seen: ArrayLike<number>,
  { temperature = 1, topK = 0, topP = 1, minP = 0, repetitionPenalty = 1 }: SamplingOptions,
): number[] {
  const scaled = Array.from(logits, (logit, v) => {
    const value = seen[v] ? (logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty) : logit;
    return value / temperature;
  });
  const descending = scaled.filter((value) => !Number.isNaN(value)).sort((a, b) => b - a);
  const most = descending[0]!;
  const kth = topK > 0 && topK < descending.length ? descending[topK - 1]! : Number.NEGATIVE_INFINITY;
  const kept = descending.filter((value) => value >= kth);
  const sum = kept.reduce((total, value) => total + Math.exp(value - most), 0);
  let lowest = kth;
  if (topP < 1) {
    let running = 0;
    for (const value of kept) {
      running += Math.exp(value - most) / sum;
      lowest = value;
      if (running >= topP) break;
    }
  }
  const weights = scaled.map((value) => {
    const weight = value >= lowest ? Math.exp(value - most) : 0;
    return weight >= minP ? weight : 0;
  });
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / total);
}
