/** Pre-activations below this count as closed; keeps −∞ out of differences of exponents. NaN stays NaN. */
const CLOSED = -1e30;

/** A gate's pre-activation, bounded from below. */
export function bounded(preActivation: number): number {
  return Math.max(preActivation, CLOSED);
}

/** log(sigmoid(x)), exact at both ends. */
export function logSigmoid(x: number): number {
  return Math.min(x, 0) - Math.log1p(Math.exp(-Math.abs(x)));
}

/** The logarithm of the input gate: i itself for the exponential gate, logsigmoid(i) for the sigmoid gate. */
export function logInputGate(preActivation: number, sigmoid: number): number {
  return sigmoid ? logSigmoid(bounded(preActivation)) : bounded(preActivation);
}

/** The logarithm of the forget gate, logsigmoid(f). */
export function logForgetGate(preActivation: number): number {
  return logSigmoid(bounded(preActivation));
}

/** 1 / (max(|denominator|, exp(−m)) + eps), what a numerator is multiplied by; 1 without normaliser. */
export function normalizerScale(denominator: number, m: number, normalize: number, eps: number): number {
  return normalize ? 1 / (Math.max(Math.abs(denominator), Math.exp(-m)) + eps) : 1;
}

/** exp of what is at most 0 but for the rounding of a stored m; NaN stays NaN. */
export function expDown(x: number): number {
  return Math.exp(Math.min(x, 0));
}
