import type { ReferenceBuffers } from '@xlstm/device';
import { indexer } from '../../layout.ts';
import type { bindings, params } from './signature.ts';

/** Sums plane by plane, row of DH by row. */
export function slstmGradientSumReference(
  { source, target }: ReferenceBuffers<typeof bindings>,
  cell: Readonly<Record<keyof typeof params, number>>,
): void {
  const { B, S, G, NH, DH, offset, planes, stride, accumulate } = cell;
  const at = indexer(cell, 'target');
  let row = 0;
  for (let b = 0; b < B; b++) {
    for (let s = 0; s < S; s++) {
      for (let gate = 0; gate < G; gate++) {
        for (let head = 0; head < NH; head++, row++) {
          const out = at(b, head, s) + gate * cell.target_gate;
          for (let d = 0; d < DH; d++) {
            let sum = accumulate ? target[out + d]! : 0;
            for (let plane = 0; plane < planes; plane++) sum += source[offset + plane * stride + row * DH + d]!;
            target[out + d] = sum;
          }
        }
      }
    }
  }
}
