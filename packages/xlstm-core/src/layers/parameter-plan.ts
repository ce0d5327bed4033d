import type { ParameterShape } from '@xlstm/tensor';
import type { Initialiser } from '../initialisers/initialisers.ts';

/** A parameter and what a new one is filled with. */
export interface ParameterPlan extends ParameterShape {
  init: Initialiser;
}

/**
 * The reference's rule for weight decay: names with `weight` and without `norm` decay, all else (biases, norms, skips,
 * recurrent matrices) does not.
 */
export function decays(name: string): boolean {
  return name.includes('weight') && !name.includes('norm');
}

/** A parameter by the rule of `decays`. */
export function plan(name: string, shape: readonly number[], init: Initialiser): ParameterPlan {
  return { name, shape, decay: decays(name), init };
}
