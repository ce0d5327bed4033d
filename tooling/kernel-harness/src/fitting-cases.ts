import type { Dtype } from '@xlstm/device';
import { Random } from './random.ts';
import type { KernelCase, KernelSpec } from './spec.ts';

/** Kept, since only making a case's buffers tells, and each form of a kernel asks. */
const known = new WeakMap<KernelCase, Record<string, Dtype | undefined>>();

function dtypesOf(testCase: KernelCase): Record<string, Dtype | undefined> {
  const found =
    known.get(testCase) ??
    Object.fromEntries(Object.entries(testCase.buffers(new Random(1))).map(([name, buffer]) => [name, buffer?.dtype]));
  known.set(testCase, found);
  return found;
}

/** Whether a WGSL form can serve a case. */
export function fitsForm(spec: KernelSpec, form: string, testCase: KernelCase): boolean {
  const fits = spec.kernel.webgpu?.find(({ name }) => name === form)?.fits;
  return fits === undefined || fits({ params: testCase.params, dtypes: dtypesOf(testCase) });
}
