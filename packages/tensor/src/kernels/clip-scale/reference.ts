import type { ReferenceBuffers } from '@xlstm/device';
import type { bindings } from './signature.ts';

/** slots [P], and norm [2]: the norm over all tensors and the scale that keeps it within maxNorm; NaN when not finite. */
export function clipScaleReference(
  { partials, starts, hyper, slots, norm }: ReferenceBuffers<typeof bindings>,
  { P, maxNorm }: { P: number; maxNorm: number },
): void {
  let total = 0;
  for (let p = 0; p < P; p++) {
    let sum = 0;
    for (let part = starts[p]!; part < starts[p + 1]!; part++) sum += partials[part]!;
    slots[p] = sum;
    total += sum;
  }
  const gradientScale = hyper[3]!;
  norm[0] = gradientScale * Math.sqrt(total);
  const clip = maxNorm > 0 ? Math.min(1, maxNorm / (norm[0] + 1e-6)) : 1;
  norm[1] = Number.isFinite(norm[0]) ? gradientScale * clip : Number.NaN;
}
