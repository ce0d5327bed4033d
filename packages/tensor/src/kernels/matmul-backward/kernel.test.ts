import { testKernel } from '@xlstm-tooling/kernel-harness/test';
import { expect, it } from 'vitest';
import { splitsFor } from './index.ts';
import { spec } from './spec.ts';

await testKernel(spec);

it.each([
  // Enough tiles, or too short a sum: one part.
  [32768, 256, 1408, 1],
  [4096, 4096, 512, 1],
  [64, 64, 511, 1],
  // Few tiles and a long sum.
  [256, 256, 32768, 48],
  [1408, 256, 32768, 9],
  [64, 64, 1024, 4],
  [1024, 2048, 65536, 2],
  [1024, 4096, 65536, 1],
])('a product of %i x %i over %i terms is made in %i parts', (R, C, inner, parts) => {
  expect(splitsFor(R, C, inner)).toBe(parts);
});
