import type { ReferenceBuffers } from '@xlstm/device';
import type { bindings, params } from './signature.ts';

/** Per-row losses of logits [rows, V], and their gradients in place when count is there, in float64. */
export function crossEntropyReference(
  { logits, targets, losses, count, scale }: ReferenceBuffers<typeof bindings>,
  { rows, V, first, ignoreIndex, softCap }: Readonly<Record<keyof typeof params, number>>,
): void {
  const factor = count ? (scale ? scale[0]! : 1) / count[0]! : 0;
  const capped = new Float64Array(V);
  for (let row = 0; row < rows; row++) {
    const start = row * V;
    const target = targets[first + row]!;
    if (target === ignoreIndex) {
      losses[first + row] = 0;
      if (count) logits.fill(0, start, start + V);
      continue;
    }
    if (target < 0 || target >= V) {
      losses[first + row] = Number.NaN;
      if (count) logits.fill(Number.NaN, start, start + V);
      continue;
    }
    let most = Number.NEGATIVE_INFINITY;
    for (let v = 0; v < V; v++) {
      const z = logits[start + v]!;
      capped[v] = softCap > 0 ? softCap * Math.tanh(z / softCap) : z;
      if (capped[v]! > most) most = capped[v]!;
    }
    let sum = 0;
    for (let v = 0; v < V; v++) sum += Math.exp(capped[v]! - most);
    losses[first + row] = most - capped[target]! + Math.log(sum);
    if (!count) continue;
    for (let v = 0; v < V; v++) {
      const gradient = Math.exp(capped[v]! - most) / sum - (v === target ? 1 : 0);
      // 1 - tanh², without its cancellation.
      const slope = softCap > 0 ? 1 / Math.cosh(logits[start + v]! / softCap) ** 2 : 1;
      logits[start + v] = gradient * slope * factor;
    }
  }
}
