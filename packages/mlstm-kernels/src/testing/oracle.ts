import type { MlstmOptions } from '../inputs.ts';
import type { MlstmShape } from '../shape.ts';
import type { HostCell } from './run-cell.ts';

/** What the recurrence gives in float64, and how well h is determined by inputs known to rounding. */
export interface Oracle {
  h: Float64Array;
  /**
   * Per element of h in 0…1: the normaliser against what it was summed from. Where terms cancel, rounding of any
   * method is magnified by its inverse, so differences are weighed by it.
   */
  condition: Float64Array;
  c: Float64Array;
  n: Float64Array;
  m: Float64Array;
}

/** −∞ and other closed gates, as the kernels read them. */
const closed = (x: number): number => Math.max(x, -1e30);
const logSigmoid = (x: number): number => Math.min(x, 0) - Math.log1p(Math.exp(-Math.abs(x)));

/** The equations of the cell, step by step, written apart from the kernels' references. */
export function oracle(
  { B, NH, S, DHQK, DHHV }: MlstmShape,
  cell: HostCell,
  { gate = 'exp', normalize = true, eps = 1e-6 }: MlstmOptions = {},
): Oracle {
  const heads = B * NH;
  const empty = new Float32Array(heads * (DHQK * DHHV + DHQK + 1));
  const state = cell.state ?? empty;
  const nPlane = heads * DHQK * DHHV;
  const c = Float64Array.from(state.subarray(0, nPlane));
  const n = Float64Array.from(state.subarray(nPlane, nPlane + heads * DHQK));
  const m = Float64Array.from(state.subarray(nPlane + heads * DHQK));
  const nAbsolute = n.map(Math.abs);
  const h = new Float64Array(heads * S * DHHV);
  const condition = new Float64Array(h.length);
  for (let head = 0; head < heads; head++) {
    if (gate === 'sigmoid') m[head] = 0;
    for (let s = 0; s < S; s++) {
      const row = head * S + s;
      const forget = logSigmoid(closed(cell.f[row]!)) + m[head]!;
      const input = gate === 'exp' ? closed(cell.i[row]!) : logSigmoid(closed(cell.i[row]!));
      m[head] = gate === 'exp' ? Math.max(forget, input) : 0;
      const decay = Math.exp(forget - m[head]!);
      const weight = Math.exp(input - m[head]!);
      let denominator = 0;
      let absolute = 0;
      const numerator = new Float64Array(DHHV);
      for (let d = 0; d < DHQK; d++) {
        const place = head * DHQK + d;
        const key = weight * cell.k[row * DHQK + d]!;
        const query = cell.q[row * DHQK + d]! / Math.sqrt(DHQK);
        n[place] = decay * n[place]! + key;
        nAbsolute[place] = decay * nAbsolute[place]! + Math.abs(key);
        denominator += n[place]! * query;
        absolute += nAbsolute[place]! * Math.abs(query);
        for (let e = 0; e < DHHV; e++) {
          const at = place * DHHV + e;
          c[at] = decay * c[at]! + key * cell.v[row * DHHV + e]!;
          numerator[e]! += c[at]! * query;
        }
      }
      const normalizer = normalize ? Math.max(Math.abs(denominator), Math.exp(-m[head]!)) + eps : 1;
      for (let e = 0; e < DHHV; e++) {
        h[row * DHHV + e] = numerator[e]! / normalizer;
        condition[row * DHHV + e] = normalize ? Math.min(1, normalizer / absolute) : 1;
      }
    }
  }
  return { h, condition, c, n, m };
}
