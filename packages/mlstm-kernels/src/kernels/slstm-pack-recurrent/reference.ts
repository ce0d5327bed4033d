import type { ReferenceBuffers } from '@xlstm/device';
import type { bindings, params } from './signature.ts';

/** Moves every weight to its place beside the other gates'. */
export function slstmPackRecurrentReference(
  { recurrent, packed }: ReferenceBuffers<typeof bindings>,
  { NH, DH, by_input }: Readonly<Record<keyof typeof params, number>>,
): void {
  const [outStep, inStep] = by_input ? [4, 4 * DH] : [4 * DH, 4];
  for (let head = 0; head < NH; head++) {
    const first = head * 4 * DH * DH;
    for (let gate = 0; gate < 4; gate++) {
      for (let out = 0; out < DH; out++) {
        const row = first + (gate * DH + out) * DH;
        const target = first + out * outStep + gate;
        for (let k = 0; k < DH; k++) packed[target + k * inStep] = recurrent[row + k]!;
      }
    }
  }
}
