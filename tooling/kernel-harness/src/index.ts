export type { Bench, BenchResult } from './bench.ts';
export { benchKernel, type KernelBench } from './bench-kernel.ts';
export { type Comparison, compare, FLOAT32, type Tolerance } from './compare.ts';
export { isRequired, offerSoftwareAdapter, type TestDevice, testDevices } from './devices.ts';
export { fitsForm } from './fitting-cases.ts';
export { measure } from './measure.ts';
export { Random } from './random.ts';
export { type OutputResult, runCase } from './run-case.ts';
export { type CaseBuffer, defineSpec, type KernelCase, type KernelCost, type KernelSpec } from './spec.ts';
