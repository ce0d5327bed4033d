import type { ReferenceBuffers } from '@xlstm/device';
import type { bindings, params } from './signature.ts';

/** y [N] (+)= the sum over parts of partials [parts, stride] from offset on, in float64. */
export function sumPartialsReference(
  { partials, y }: ReferenceBuffers<typeof bindings>,
  { parts, stride, offset, N, accumulate }: Readonly<Record<keyof typeof params, number>>,
): void {
  const sums = new Float64Array(N);
  for (let part = 0; part < parts; part++) {
    const start = part * stride + offset;
    for (let n = 0; n < N; n++) sums[n]! += partials[start + n]!;
  }
  for (let n = 0; n < N; n++) y[n] = (accumulate ? y[n]! : 0) + sums[n]!;
}
