import { testKernel } from '@xlstm-tooling/kernel-harness/test';
import { spec } from './spec.ts';

await testKernel(spec);
