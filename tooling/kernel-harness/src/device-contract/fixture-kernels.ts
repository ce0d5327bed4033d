import { defineKernel, type Kernel } from '@xlstm/device';

const scaleBindings = {
  x: { access: 'read', dtypes: ['fp32'] },
  z: { access: 'read', dtypes: ['fp32'], optional: true },
  y: { access: 'write', dtypes: ['fp32'] },
} as const;
const scaleParams = { n: 'u32', a: 'f32' } as const;

/** y = a·x (+ z): the smallest kernel with a parameter and an optional buffer. */
export const scaleKernel: Kernel<typeof scaleBindings, typeof scaleParams> = defineKernel({
  id: 'fixture_scale',
  bindings: scaleBindings,
  params: scaleParams,
  webgpu: [
    {
      name: 'plain',
      code: `
struct Params { n: u32, a: f32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> z: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;
override HAS_Z: u32 = 0;
@compute @workgroup_size(64)
fn fixture_scale(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x >= params.n) { return; }
  var value = params.a * x[id.x];
  if (HAS_Z != 0u) { value += z[id.x]; }
  y[id.x] = value;
}`,
      constants: ({ dtypes }) => ({ HAS_Z: dtypes.z ? 1 : 0 }),
      workgroups: ({ params }) => [Math.ceil(params.n / 64), 1, 1],
    },
  ],
  reference: ({ x, z, y }, { n, a }) => {
    for (let index = 0; index < n; index++) y[index] = a * x[index]! + (z ? z[index]! : 0);
  },
});

const stepBindings = { y: { access: 'read-write', dtypes: ['fp32'] } } as const;
const stepParams = { a: 'f32', b: 'i32', groups: 'u32' } as const;

/** y[0] = a·y[0] + b: does not commute with itself, so results tell the order of launches. */
export const stepKernel: Kernel<typeof stepBindings, typeof stepParams> = defineKernel({
  id: 'fixture_step',
  bindings: stepBindings,
  params: stepParams,
  webgpu: [
    {
      name: 'plain',
      code: `
struct Params { a: f32, b: i32, groups: u32 }
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<uniform> params: Params;
@compute @workgroup_size(1)
fn fixture_step(@builtin(global_invocation_id) id: vec3<u32>) {
  if (id.x == 0u) { y[0] = params.a * y[0] + f32(params.b); }
}`,
      workgroups: ({ params }) => [params.groups, 1, 1],
    },
  ],
  reference: ({ y }, { a, b }) => {
    y[0] = a * y[0]! + b;
  },
});

const weightBindings = {
  w: { access: 'read', dtypes: ['fp32', 'fp16', 'bf16'] },
  y: { access: 'write', dtypes: ['u32'] },
} as const;

/** y[0] = the first word of w: a kernel without parameters, with a binding of several dtypes. */
export const firstWordKernel: Kernel<typeof weightBindings, Record<never, never>> = defineKernel({
  id: 'fixture_first_word',
  bindings: weightBindings,
  params: {},
  webgpu: [
    {
      name: 'plain',
      code: `
@group(0) @binding(0) var<storage, read> w: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
@compute @workgroup_size(1)
fn fixture_first_word() { y[0] = w[0]; }`,
      workgroups: () => [1, 1, 1],
    },
  ],
  reference: ({ w, y }) => {
    y[0] = new Uint32Array(w.data.buffer, w.data.byteOffset, 1)[0]!;
  },
});
