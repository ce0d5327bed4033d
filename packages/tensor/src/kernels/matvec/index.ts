import { defineKernel, type Kernel } from '@xlstm/device';
import { matvecReference } from './reference.ts';
import { bindings, params } from './signature.ts';
import { matvecWebGpu } from './webgpu.ts';

export { MAX_ROWS as MATVEC_MAX_ROWS } from './signature.ts';

/** `y [M, N] (+)= x [M, K] · weight [N, K]ᵀ (+ bias [N])` for 1…8 rows; `linear` launches it. */
export const matvecKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'matvec',
  bindings,
  params,
  webgpu: matvecWebGpu,
  reference: matvecReference,
});
