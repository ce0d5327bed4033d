import type { ReferenceBuffers } from '@xlstm/device';
import type { bindings, params } from './signature.ts';

/** One step of AdamW, in float64; none when the gradients' norm is not finite. */
export function adamwReference(
  { parameter, gradient, first, second, hyper, norm }: ReferenceBuffers<typeof bindings>,
  { length, beta1, beta2, gain1, gain2, eps, weightDecay }: Readonly<Record<keyof typeof params, number>>,
): void {
  const scale = norm[1]!;
  if (!Number.isFinite(scale)) return;
  const [lr, correction1, correction2] = [hyper[0]!, hyper[1]!, hyper[2]!];
  for (let index = 0; index < length; index++) {
    const g = gradient[index]! * scale;
    const m = beta1 * first[index]! + gain1 * g;
    const v = beta2 * second[index]! + gain2 * g * g;
    first[index] = m;
    second[index] = v;
    const step = (m * correction1) / (Math.sqrt(v * correction2) + eps);
    parameter[index] = parameter[index]! * (1 - lr * weightDecay) - lr * step;
  }
}
