import { defineKernel } from '@xlstm/device';
import { testKernel } from '@xlstm-tooling/kernel-harness/test';
import { fusedLinearKernel } from './index.ts';
import { integersVariant } from './integers.ts';
import { spec } from './spec.ts';

await testKernel(spec);

/** The form that a large product takes: workgroups that make several sets of rows. */
const turns = integersVariant('integers-q4 in turns', { bits: 4, rows: 2, depth: 1, threads: 128, workgroups: 1 });

await testKernel({
  ...spec,
  kernel: defineKernel({ ...fusedLinearKernel, webgpu: [turns] }),
  cases: spec.cases.filter(({ name }) => name.startsWith('1 x 35 x 544 q4')),
});
