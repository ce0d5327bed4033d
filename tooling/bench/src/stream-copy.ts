import { defineKernel, type Kernel } from '@xlstm/device';

const bindings = {
  x: { access: 'read', dtypes: ['u32'] },
  y: { access: 'write', dtypes: ['u32'] },
} as const;
const params = { vectors: 'u32' } as const;

const THREADS = 256;
const PER_THREAD = 4;

/**
 * y = x in a shader, 16 bytes a load. The device's own copy command may run on a slow engine (measured on an H200: a
 * fifth of this), so that it is no ceiling for what kernels can read and write.
 */
export const streamCopyKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'bench_stream_copy',
  bindings,
  params,
  webgpu: [
    {
      name: 'plain',
      code: `
struct Params { vectors: u32 }
@group(0) @binding(0) var<storage, read> x: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4<u32>>;
@group(0) @binding(2) var<uniform> params: Params;
@compute @workgroup_size(${THREADS})
fn bench_stream_copy(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
                     @builtin(local_invocation_index) thread: u32) {
  let first = (group.x + group.y * groups.x) * ${THREADS * PER_THREAD}u + thread;
  for (var i = 0u; i < ${PER_THREAD}u; i++) {
    let at = first + i * ${THREADS}u;
    if (at < params.vectors) { y[at] = x[at]; }
  }
}`,
      workgroups: ({ params: { vectors } }, { maxWorkgroupsPerDimension: most }) => {
        const count = Math.ceil(vectors / (THREADS * PER_THREAD));
        const y = Math.ceil(count / most);
        return [Math.ceil(count / y), y, 1];
      },
    },
  ],
  reference: ({ x, y }) => {
    y.set(x);
  },
});
