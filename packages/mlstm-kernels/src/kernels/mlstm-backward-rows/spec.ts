import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { rowsLength } from '../../backward-rows.ts';
import { normals } from '../../testing/backward-data.ts';
import {
  arrange,
  type CaseOptions,
  layoutAs,
  layouts,
  operandData,
  rowLayout,
  stateData,
} from '../../testing/case-data.ts';
import { mlstmBackwardRowsKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

const shape = (
  name: string,
  [B, NH, S, DHQK, DHHV, L]: readonly [number, number, number, number, number, number],
  options: CaseOptions = {},
) => {
  const sizes = { B, NH, S, DHQK, DHHV, L };
  const chunks = Math.ceil(S / L);
  return {
    name: `${name}: B=${B} NH=${NH} S=${S} ${DHQK}x${DHHV} L=${L}`,
    params: {
      ...layouts(sizes, ['f', 'i', 'h'], options.arrangement),
      ...layoutAs(sizes, 'h', 'dh', options.arrangement),
      ...rowLayout(sizes, 'readout'),
      readout_plane: B * NH * S,
      ...sizes,
      sigmoid: options.sigmoid ? 1 : 0,
      normalize: options.normalize === false ? 0 : 1,
      eps: 1e-3,
    },
    buffers: (random: Random) => ({
      f: operandData(random, sizes, 'f', options),
      i: operandData(random, sizes, 'i', options),
      h: normals(random, arrange(sizes, 'h', options.arrangement ?? 'head-major').length),
      dh: normals(random, arrange(sizes, 'h', options.arrangement ?? 'head-major').length),
      readout: normals(random, 2 * B * NH * S),
      entering: stateData(random, { ...sizes, NH: NH * chunks }, options),
      last: stateData(random, sizes, options),
      rows: { dtype: 'fp32' as const, length: rowsLength(sizes) },
    }),
  };
};

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: mlstmBackwardRowsKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('one chunk', [1, 2, 64, 16, 32, 64]),
    shape('odd, last chunk masked', [2, 3, 71, 5, 7, 32]),
    shape('one of everything', [1, 1, 1, 1, 1, 32]),
    shape('longer than a workgroup, sequence-major', [1, 1, 300, 2, 3, 300], { arrangement: 'sequence-major' }),
    shape('extreme gates', [1, 2, 150, 3, 4, 64], { extremes: true, gates: 3 }),
    shape('sigmoid gate', [1, 2, 70, 8, 24, 32], { sigmoid: true }),
    shape('sigmoid gate, not normalised, extreme', [1, 2, 70, 3, 4, 32], {
      sigmoid: true,
      normalize: false,
      extremes: true,
    }),
  ],
  tolerances: { rows: FLOAT32 },
  bench: [shape('7B', [1, 8, 512, 256, 512, 64]), shape('small', [1, 4, 256, 32, 64, 64])],
  cost: ({ B, NH, S, DHHV }) => ({ flops: 2 * B * NH * S * DHHV, bytes: 4 * B * NH * S * (2 * DHHV + 13) }),
});
