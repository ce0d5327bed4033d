import type { FloatDtype } from '@xlstm/device';
import { defineSpec, FLOAT32, type KernelSpec } from '@xlstm-tooling/kernel-harness';
import { randomFillKernel } from './index.ts';
import type { bindings, params } from './signature.ts';

const shape = (dtype: FloatDtype, length: number) => ({
  name: `${dtype} x ${length}`,
  params: { length, seed: 12345, scale: 0.5, mean: 0.25 },
  buffers: () => ({ y: { dtype, length } }),
});

export const spec: KernelSpec<typeof bindings, typeof params> = defineSpec({
  kernel: randomFillKernel,
  backends: { cpu: true, webgpu: true, cuda: 'the CUDA device is a later issue' },
  cases: [shape('fp32', 777), shape('bf16', 777), shape('bf16', 512), shape('fp16', 777), shape('fp32', 1)],
  // Every step is exact in float32 for this scale and mean (powers of two); 16-bit outputs are compared as bits.
  tolerances: { y: FLOAT32 },
  bench: [shape('bf16', 1 << 22)],
  cost: ({ length }, { y }) => ({ flops: 3 * length, bytes: length * (y === 'fp32' ? 4 : 2) }),
});
