import { benchKernel, type KernelBench } from '@xlstm-tooling/kernel-harness';
import { spec } from './spec.ts';

const bench: KernelBench = benchKernel(spec);
export default bench;
