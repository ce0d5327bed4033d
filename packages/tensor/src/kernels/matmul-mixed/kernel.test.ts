import { defineKernel } from '@xlstm/device';
import { testKernel } from '@xlstm-tooling/kernel-harness/test';
import { emulated } from '../../testing/emulated-subgroup-matrix.ts';
import { matmulMixedKernel } from './index.ts';
import { spec } from './spec.ts';
import type { Tiles } from './tiles.ts';
import { mixedVariant, type WeightKind } from './webgpu.ts';

// Where subgroups multiply matrices; elsewhere the reference alone.
await testKernel(spec);

/** The same text where there are no subgroup matrices, with tiles that a software adapter can take. */
function form(name: string, kind: WeightKind, tiles: Tiles, cases: RegExp) {
  const memory = { halves: ['a_tile', 'b_tile'], results: ['a_tile', 'y'] };
  const variant = emulated(mixedVariant(name, tiles, kind), memory);
  return { variant, cases: spec.cases.filter((each) => cases.test(each.name)) };
}

const TWO_BY_TWO: Tiles = { m: 32, n: 64, k: 32, subgroupsM: 2, subgroupsN: 2, subgroupsK: 1 };
const FOUR_IN_TURNS: Tiles = { m: 32, n: 32, k: 64, subgroupsM: 1, subgroupsN: 1, subgroupsK: 4 };

// Each pair of form and constants is a pipeline, which a software adapter compiles for many seconds.
for (const { variant, cases } of [
  form('two by two', 'half', TWO_BY_TWO, /131 x 129 x 200 bf16|72 x 264 x 301 fp16 TN/),
  form('four in turns', 'q4', FOUR_IN_TURNS, /19 x 40 x 288 q4/),
]) {
  await testKernel({ ...spec, cases, kernel: defineKernel({ ...matmulMixedKernel, webgpu: [variant] }) });
}
