import { defineSpec, FLOAT32, type KernelSpec, type Random } from '@xlstm-tooling/kernel-harness';
import { tilesOf } from '../../backward-rows.ts';
import { gradientData, normals } from '../../testing/backward-data.ts';
import { type CaseOptions, layoutAs, operandData } from '../../testing/case-data.ts';
import { mlstmBackwardGatesKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

const shape = (
  name: string,
  [B, NH, S, DHQK, DHHV, L]: readonly [number, number, number, number, number, number],
  options: CaseOptions & { accumulate?: boolean; forget?: boolean } = {},
) => {
  const sizes = { B, NH, S, DHQK, DHHV, L };
  return {
    name: `${name}: B=${B} NH=${NH} S=${S} ${DHQK}x${DHHV} L=${L}`,
    params: {
      ...layoutAs(sizes, 'i', 'gradient', options.arrangement),
      ...layoutAs(sizes, 'i', 'gate', options.arrangement),
      B,
      NH,
      S,
      L,
      tiles: tilesOf(DHQK),
      flux_tiles: tilesOf(DHQK) * tilesOf(DHHV),
      forget: options.forget ? 1 : 0,
      sigmoid: options.sigmoid ? 1 : 0,
      accumulate: options.accumulate ? 1 : 0,
    },
    buffers: (random: Random) => ({
      gate: operandData(random, sizes, 'i', options),
      flows: normals(random, (2 * tilesOf(L) + 1) * B * NH * S),
      arriving: normals(random, tilesOf(DHQK) * B * NH * S),
      departing: normals(random, tilesOf(DHQK) * B * NH * S),
      flux: normals(random, tilesOf(DHQK) * tilesOf(DHHV) * B * NH * (Math.ceil(S / L) + 1)),
      shares: normals(random, 2 * B * NH * S),
      gradient: gradientData(random, sizes, 'i', options),
    }),
  };
};

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: mlstmBackwardGatesKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [
    shape('input gate', [1, 2, 64, 16, 32, 64]),
    shape('forget gate, odd, added', [2, 3, 71, 70, 67, 32], { forget: true, accumulate: true }),
    shape('one of everything', [1, 1, 1, 1, 1, 32], { forget: true }),
    shape('forget gate, chunks of several tiles', [1, 2, 400, 4, 5, 192], { forget: true }),
    shape('longer than a workgroup, sequence-major', [1, 1, 300, 2, 3, 300], {
      forget: true,
      arrangement: 'sequence-major',
    }),
    shape('forget gate, extreme', [1, 2, 70, 4, 5, 32], { forget: true, extremes: true }),
    shape('sigmoid gate, extreme, added', [1, 2, 70, 4, 5, 32], { sigmoid: true, extremes: true, accumulate: true }),
  ],
  tolerances: { gradient: { ...FLOAT32, atol: 2e-5 } },
  bench: [shape('7B', [1, 8, 512, 256, 512, 64]), shape('small', [1, 4, 256, 32, 64, 64])],
  cost: ({ B, NH, S, tiles }) => ({ flops: 10 * B * NH * S, bytes: 4 * B * NH * S * (2 * tiles + 5) }),
});
