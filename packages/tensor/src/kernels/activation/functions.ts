import { OptionError } from '@xlstm/device';

/** Names of the activation functions, as configurations have them. */
export type ActivationName = 'silu' | 'gelu';

/** How kernels' `activation` parameter names them. */
export const ACTIVATION_CODES: Readonly<Record<ActivationName, number>> = { silu: 0, gelu: 1 };

/** The code of an activation function, or an OptionError where there is none of that name. */
export function activationCode(operation: string, name: ActivationName): number {
  if (!Object.hasOwn(ACTIVATION_CODES, name)) {
    throw new OptionError(
      `${operation}: activation must be ${Object.keys(ACTIVATION_CODES).join(' or ')}, got ${name}`,
    );
  }
  return ACTIVATION_CODES[name];
}

/** A function and its derivative, in float64. */
export interface ActivationFunction {
  value: (x: number) => number;
  slope: (x: number) => number;
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

const silu: ActivationFunction = {
  value: (x) => x * sigmoid(x),
  slope: (x) => sigmoid(x) * (1 + x * sigmoid(-x)),
};

/** Chebyshev coefficients of (t + 4)·exp(t²)·erfc(t) over u = (t − 4) / (t + 4), from a fit with 40 digits. */
const SCALED_ERFC = [
  1.6320978781965259, -1.5054329427054698, 0.5903214182888945, -0.19828527172011035, 0.0569084302284687,
  -0.013773973050870096, 0.002729016733135232, -0.00041361807903024755, 3.89141838079606e-5, 4.795485503364818e-7,
  -8.699107081379825e-7, 1.2116707094396558e-7, 3.79196702608182e-9, -3.4533646779963824e-9, 2.748862570381361e-10,
  6.813959375318511e-11, -1.3568522747316355e-11, -1.0463235067416098e-12, 4.851070321243456e-13, 8.458758172979228e-15,
  -1.6469363733616717e-14, 2.531485088680896e-16, 5.757244393379187e-16, -1.824597919476606e-17,
] as const;

/** exp(t²)·erfc(t) for t >= 0, to 4e-16 of itself. */
function scaledErfc(t: number): number {
  const u = (t - 4) / (t + 4);
  let next = 0;
  let afterNext = 0;
  for (let index = SCALED_ERFC.length - 1; index > 0; index--) {
    const sum = 2 * u * next - afterNext + SCALED_ERFC[index]!;
    afterNext = next;
    next = sum;
  }
  return (u * next - afterNext + SCALED_ERFC[0]) / (t + 4);
}

/** The standard normal distribution's cumulative share below x. */
export function normalShare(x: number): number {
  const m = Math.abs(x);
  // Past 40 the tail is 0 in float64, and infinity would give NaN.
  const tail = m > 40 ? 0 : 0.5 * Math.exp(-0.5 * m * m) * scaledErfc(m * Math.SQRT1_2);
  return x < 0 ? tail : 1 - tail;
}

const gelu: ActivationFunction = {
  value: (x) => (x < -40 ? 0 : x * normalShare(x)),
  slope: (x) => normalShare(x) + (Math.abs(x) > 40 ? 0 : (x * Math.exp(-0.5 * x * x)) / Math.sqrt(2 * Math.PI)),
};

/** The function that a kernel's `activation` parameter names. */
export function activationFunction(code: number): ActivationFunction {
  return code === ACTIVATION_CODES.gelu ? gelu : silu;
}
