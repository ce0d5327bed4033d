import { defineKernel, type Kernel } from '@xlstm/device';

const bindings = { y: { access: 'write', dtypes: ['fp32'] } } as const;
const params = { n: 'u32', iterations: 'u32', a: 'f32', b: 'f32' } as const;

export const THREADS = 256;
/** Independent chains an invocation keeps, so that latency does not count. */
const CHAINS = 32;

/** Operations of one launch: a multiplication and an addition a step. */
export function fmaFlops(n: number, iterations: number): number {
  return 2 * CHAINS * n * iterations;
}

/** y [n] = Σ over 32 chains of x ← a·x + b, repeated: float32 arithmetic and nothing else. */
export const fmaKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'bench_fma',
  bindings,
  params,
  webgpu: [
    {
      name: 'plain',
      code: `
struct Params { n: u32, iterations: u32, a: f32, b: f32 }
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<uniform> params: Params;
@compute @workgroup_size(${THREADS})
fn bench_fma(@builtin(global_invocation_id) id: vec3<u32>) {
  let a = vec4(params.a);
  let b = vec4(params.b);
  var x0 = vec4(f32(id.x & 7u));
  var x1 = x0 + 1.0;
  var x2 = x0 + 2.0;
  var x3 = x0 + 3.0;
  var x4 = x0 + 4.0;
  var x5 = x0 + 5.0;
  var x6 = x0 + 6.0;
  var x7 = x0 + 7.0;
  for (var i = 0u; i < params.iterations; i++) {
    x0 = fma(x0, a, b);
    x1 = fma(x1, a, b);
    x2 = fma(x2, a, b);
    x3 = fma(x3, a, b);
    x4 = fma(x4, a, b);
    x5 = fma(x5, a, b);
    x6 = fma(x6, a, b);
    x7 = fma(x7, a, b);
  }
  if (id.x < params.n) { y[id.x] = dot(x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7, vec4(1.0)); }
}`,
      workgroups: ({ params: { n } }) => [Math.ceil(n / THREADS), 1, 1],
    },
  ],
  reference: ({ y }, { n, iterations, a, b }) => {
    for (let index = 0; index < n; index++) {
      let sum = 0;
      for (let lane = 0; lane < CHAINS / 8; lane++) {
        // Locals, since an array would measure loads and stores.
        let x0 = index & 7;
        let [x1, x2, x3, x4, x5, x6, x7] = [x0 + 1, x0 + 2, x0 + 3, x0 + 4, x0 + 5, x0 + 6, x0 + 7];
        for (let step = 0; step < iterations; step++) {
          x0 = x0 * a + b;
          x1 = x1 * a + b;
          x2 = x2 * a + b;
          x3 = x3 * a + b;
          x4 = x4 * a + b;
          x5 = x5 * a + b;
          x6 = x6 * a + b;
          x7 = x7 * a + b;
        }
        sum += x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7;
      }
      y[index] = sum;
    }
  },
});
