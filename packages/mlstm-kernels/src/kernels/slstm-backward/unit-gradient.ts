import { sigmoid, unitGates } from '../../slstm-gates.ts';

/** What one unit went through in a step. */
export interface UnitStep {
  i: number;
  f: number;
  z: number;
  o: number;
  /** The states after the step. */
  c: number;
  n: number;
  m: number;
  /** The states before it. */
  c0: number;
  n0: number;
  m0: number;
}

/** Gradients of the states; `m` is that of the stabiliser while c·exp(m) and n·exp(m) stay as they are. */
export interface StateGradient {
  c: number;
  n: number;
  m: number;
}

/** Gradients of a unit's pre-activations. */
export interface GateGradient {
  i: number;
  f: number;
  z: number;
  o: number;
}

/** One unit's step backwards: `carried` comes in for the states after it and leaves for those before it. */
export function unitBackward(step: UnitStep, given: number, carried: StateGradient, clip: number): GateGradient {
  const { i, f, z, o, c, n, c0, n0 } = step;
  const { input, forget, held } = unitGates(i, f, n0, step.m0);
  const open = sigmoid(o);
  const y = (open * c) / n;
  const dy = clip && Math.abs(y) > clip ? 0 : given;
  const dc = carried.c + (dy * open) / n;
  const dn = carried.n - (dy * y) / n;
  const e = Math.exp(-2 * Math.abs(z));
  const gradient = { i: 0, f: 0, z: input * dc * ((4 * e) / (1 + e) ** 2), o: dy * y * sigmoid(-o) };
  carried.c = forget * dc;
  carried.n = forget * dn;
  if (held) {
    // c and n do not depend on f and the old m, and m is i itself.
    gradient.i = carried.m + c * dc + n * dn;
    carried.m = -c0 * carried.c;
    return gradient;
  }
  gradient.i = input * (Math.tanh(z) * dc + dn);
  gradient.f = forget * (c0 * dc + n0 * dn) * sigmoid(-f);
  if (step.m === i) {
    gradient.i += carried.m;
    carried.m = 0;
  } else {
    gradient.f += carried.m * sigmoid(-f);
  }
  return gradient;
}
