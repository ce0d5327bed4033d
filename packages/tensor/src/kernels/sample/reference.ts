import type { ReferenceBuffers } from '@xlstm/device';
import { multiplyHigh, philox } from './philox.ts';
import { type RowSettings, readSettings, roundedSettings } from './settings.ts';
import type { bindings, params as parameters } from './signature.ts';

/** Weights below e^-80 of the largest count as 0: float32 cannot hold much less. */
const SMALLEST_EXPONENT = -80;
const GREEDY_BELOW = 1e-20;
/** The key of the lowest finite float; below are -Infinity and NaN, which are never drawn. */
const LOWEST_KEY = 0x00800000;

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** A 32-bit key that orders like the floats do: NaN is 0, below all, and -0 ties with +0. */
function orderedKey(value: number): number {
  if (Number.isNaN(value)) return 0;
  float[0] = value === 0 ? 0 : value;
  const word = bits[0]!;
  return word >>> 31 ? ~word >>> 0 : (word | 0x80000000) >>> 0;
}

/** The largest key for which the measures of all keys at least as large sum to at least `target(total)`. */
function threshold(keys: Uint32Array, measure: Uint32Array | undefined, target: (total: number) => number): number {
  let prefix = 0;
  let remaining = 0;
  for (let shift = 24; shift >= 0; shift -= 8) {
    const bins = new Float64Array(256);
    // The first level has no bits to match; a shift by 32 would shift by none.
    const matched = shift + 8;
    for (let v = 0; v < keys.length; v++) {
      const key = keys[v]!;
      if (matched < 32 && key >>> matched !== prefix >>> matched) continue;
      bins[(key >>> shift) & 255]! += measure ? measure[v]! : 1;
    }
    if (shift === 24) remaining = target(bins.reduce((sum, value) => sum + value, 0));
    let bin = 255;
    while (bin > 0 && bins[bin]! < remaining) remaining -= bins[bin--]!;
    prefix = (prefix | (bin << shift)) >>> 0;
  }
  return prefix;
}

/**
 * token [B] drawn from logits [B, V] (penalised where seen [B, V] is set), each row by its own counter [B]
 * and, where there are settings [B, 8], by its own of those.
 * The algorithm is the WGSL form's, with float64 weights: see README.md.
 */
export function sampleReference(
  { logits, seen, counter, token, settings }: ReferenceBuffers<typeof bindings>,
  params: Readonly<Record<keyof typeof parameters, number>>,
): void {
  const { B, V } = params;
  const values = new Float32Array(V);
  const keys = new Uint32Array(V);
  const weights = new Float64Array(V);
  const shares = new Uint32Array(V);

  const chooseGreedily = (): number => {
    let best = 0;
    for (let v = 1; v < V; v++) if (keys[v]! > keys[best]!) best = v;
    return best;
  };

  const draw = (row: number, { temperature, topK, topP, minP, seedLow, seedHigh, stream }: RowSettings): number => {
    const best = chooseGreedily();
    const most = keys[best]!;
    if (!(temperature >= GREEDY_BELOW) || most < LOWEST_KEY) return best;
    const lowestOfTopK = topK > 0 && topK < V ? threshold(keys, undefined, () => topK) : 0;
    const lowest = Math.max(LOWEST_KEY, lowestOfTopK);
    let sum = 0;
    for (let v = 0; v < V; v++) {
      // Equal keys first: infinity minus itself is NaN.
      const exponent = keys[v] === most ? 0 : (values[v]! - values[best]!) / temperature;
      weights[v] = keys[v]! >= lowest && exponent > SMALLEST_EXPONENT ? Math.exp(exponent) : 0;
      sum += weights[v]!;
    }
    for (let v = 0; v < V; v++) shares[v] = Math.floor((weights[v]! * 2 ** 31) / sum + 0.5);
    const lowestOfTopP =
      topP < 1 ? threshold(keys, shares, (total) => Math.min(total, Math.max(1, Math.ceil(topP * total)))) : 0;
    let total = 0;
    for (let v = 0; v < V; v++) {
      if (keys[v]! < lowestOfTopP || weights[v]! < minP) shares[v] = 0;
      total += shares[v]!;
    }
    const random = philox([counter[row]!, stream, 0, 0], [seedLow, seedHigh])[0];
    let left = multiplyHigh(random, total);
    for (let v = 0; v < V; v++) {
      if (left < shares[v]!) return v;
      left -= shares[v]!;
    }
    return best;
  };

  for (let row = 0; row < B; row++) {
    const start = row * V;
    // Parameters are float32 on every device.
    const drawnWith = settings ? readSettings(settings, row) : roundedSettings({ ...params, stream: row });
    const penalty = drawnWith.repetitionPenalty;
    for (let v = 0; v < V; v++) {
      const value = logits[start + v]!;
      const penalised = seen && seen[start + v] !== 0 && penalty !== 1;
      values[v] = penalised ? (value > 0 ? value / penalty : value * penalty) : value;
      keys[v] = orderedKey(values[v]!);
    }
    const chosen = draw(row, drawnWith);
    token[row] = chosen;
    counter[row] = counter[row]! + 1;
    if (seen) seen[start + chosen] = 1;
  }
}
