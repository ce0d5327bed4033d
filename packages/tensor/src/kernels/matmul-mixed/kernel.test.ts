import { defineKernel } from '@xlstm/device';
import { testKernel } from '@xlstm-tooling/kernel-harness/test';
import { emulated } from '../../testing/emulated-subgroup-matrix.ts';
import { matmulMixedKernel } from './index.ts';
import { spec } from './spec.ts';
import { mixedVariant, type WeightKind } from './webgpu.ts';

// Where subgroups multiply matrices; elsewhere the reference alone.
await testKernel(spec);

// The same text where there are no subgroup matrices, with tiles that a software adapter can take.
const memory = { halves: ['a_tile', 'b_tile'], results: ['a_tile', 'y'] };
const kinds: readonly WeightKind[] = ['half', 'q8', 'q4'];
const forms = kinds.flatMap((kind) => [
  emulated(
    mixedVariant(`two by two, ${kind}`, { m: 32, n: 64, k: 32, subgroupsM: 2, subgroupsN: 2, subgroupsK: 1, stages: 2 }, kind),
    memory,
  ),
  emulated(
    mixedVariant(`four in turns, ${kind}`, { m: 32, n: 32, k: 64, subgroupsM: 1, subgroupsN: 1, subgroupsK: 4, stages: 1 }, kind),
    memory,
  ),
]);

await testKernel({ ...spec, kernel: defineKernel({ ...matmulMixedKernel, webgpu: forms }) });
