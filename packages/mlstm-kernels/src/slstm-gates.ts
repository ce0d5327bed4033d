import { bounded, logSigmoid } from './gates.ts';

/** 1 / (1 + exp(−x)), exact at both ends. */
export function sigmoid(x: number): number {
  const e = Math.exp(-Math.abs(x));
  return (x >= 0 ? 1 : e) / (1 + e);
}

/** One unit's gates of a step: `c = forget·c + input·tanh(z)`, and n alike. */
export interface UnitGates {
  input: number;
  forget: number;
  m: number;
  /** Whether `forget` is held at 1 by the min, and so depends on nothing. */
  held: boolean;
}

/**
 * The gates of a step that is entered with n and m:
 *
 *     m' = max(i, logsigmoid(f) + m), or i where n = 0;  input = min(exp(i − m'), 1);  forget = min(exp(logsigmoid(f) + m − m'), 1)
 */
export function unitGates(i: number, f: number, n: number, m: number): UnitGates {
  const kept = logSigmoid(f) + m;
  const next = n === 0 ? i : Math.max(i, kept);
  return {
    input: Math.exp(Math.min(i - next, 0)),
    forget: Math.exp(Math.min(kept - next, 0)),
    m: next,
    held: n === 0 && kept > i,
  };
}

export { bounded };
