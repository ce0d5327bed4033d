import { OptionError } from '@xlstm/device';

/** Options of `slstm`. */
export interface SlstmOptions {
  /** Holds every y, which is also what the next step sees, within ±forwardClip. None by default. */
  forwardClip?: number;
}

/** Options of `slstmBackward`; `forwardClip` must be what the forward was called with. */
export interface SlstmBackwardOptions extends SlstmOptions {
  /** Lets no gradient through y_{t−1} → gates; the gradient of the recurrent weights stays. Default false. */
  gradientRecurrentCut?: boolean;
  /** Holds each element of the gradient that comes back through y_{t−1} → gates within ±this. None by default. */
  gradientRecurrentClip?: number;
}

function requireKnown(operation: string, options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) {
      throw new OptionError(`${operation}: no option is called ${name}; it takes ${known.join(', ')}`);
    }
  }
}

function bound(operation: string, name: string, value: unknown): number {
  if (value === undefined) return 0;
  if (!(typeof value === 'number' && value > 0 && Number.isFinite(value))) {
    throw new OptionError(
      `${operation}: ${name} must be a finite number > 0, got ${String(value)}; leave it out for no bound`,
    );
  }
  return value;
}

/** The options as kernel parameters, 0 for no bound. Throws an `OptionError` that names the one at fault. */
export function forwardParams(operation: string, options: SlstmOptions): { clip: number } {
  requireKnown(operation, options, ['forwardClip']);
  return { clip: bound(operation, 'forwardClip', options.forwardClip) };
}

/** The options as kernel parameters, 0 for no bound. Throws an `OptionError` that names the one at fault. */
export function backwardParams(
  operation: string,
  options: SlstmBackwardOptions,
): { clip: number; cut: number; recurrent_clip: number } {
  requireKnown(operation, options, ['forwardClip', 'gradientRecurrentCut', 'gradientRecurrentClip']);
  const { gradientRecurrentCut: cut = false } = options;
  if (typeof cut !== 'boolean') {
    throw new OptionError(`${operation}: gradientRecurrentCut must be true or false, got ${JSON.stringify(cut)}`);
  }
  return {
    clip: bound(operation, 'forwardClip', options.forwardClip),
    cut: cut ? 1 : 0,
    recurrent_clip: bound(operation, 'gradientRecurrentClip', options.gradientRecurrentClip),
  };
}
