import type { ReferenceBuffers } from '@xlstm/device';
import { activationFunction } from '../activation/functions.ts';
import type { bindings, params } from './signature.ts';

/** dgate (+)= dy · up · f'(gate) and dup (+)= dy · f(gate), in float64. */
export function gatedActivationBackwardReference(
  { gate, up, dy, dgate, dup = dgate }: ReferenceBuffers<typeof bindings>,
  p: Readonly<Record<keyof typeof params, number>>,
): void {
  const { value, slope } = activationFunction(p.activation);
  for (let row = 0; row < p.rows; row++) {
    const gateStart = p.gateOffset + row * p.gateStride;
    if (p.outputs & 1) {
      const upStart = p.upOffset + row * p.upStride;
      const target = p.dgateOffset + row * p.dgateStride;
      for (let d = 0; d < p.D; d++) {
        const share = dy[row * p.D + d]! * up[upStart + d]! * slope(gate[gateStart + d]!);
        dgate[target + d] = p.accumulateGate ? dgate[target + d]! + share : share;
      }
    }
    if (p.outputs & 2) {
      const target = p.dupOffset + row * p.dupStride;
      for (let d = 0; d < p.D; d++) {
        const share = dy[row * p.D + d]! * value(gate[gateStart + d]!);
        dup[target + d] = p.accumulateUp ? dup[target + d]! + share : share;
      }
    }
  }
}
