import { type Device, type DeviceBuffer, defineKernel, type Kernel } from '@xlstm/device';
import type { Bench } from '@xlstm-tooling/kernel-harness';

/** As many as a decoded token of a 7B model takes. */
const DISPATCHES = 163;
const ROUNDS = 200;

const bindings = {
  x: { access: 'read', dtypes: ['fp32'] },
  w: { access: 'read', dtypes: ['fp32'] },
  y: { access: 'read-write', dtypes: ['fp32'] },
} as const;

/** y[0] += w[0] · x[0]: next to no work, so that what a launch costs by itself remains. */
const touch = (id: string): Kernel<typeof bindings, { n: 'u32' }> =>
  defineKernel({
    id,
    bindings,
    params: { n: 'u32' },
    webgpu: [
      {
        name: 'plain',
        code: `
struct Params { n: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;
@compute @workgroup_size(1)
fn ${id}() { if (params.n > 0u) { y[0] += w[0] * x[0]; } }`,
        workgroups: () => [1, 1, 1],
      },
    ],
    reference: ({ x, w, y }) => {
      y[0]! += w[0]! * x[0]!;
    },
  });

/** Whatever else the machine does only adds to what is measured here, so the fast tenth says what calls cost. */
const fastTenth = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 10)]!;

/** Replays a program of many small launches; tells what the host needs for each to encode and to submit it. */
async function timeReplay(device: Device, kernels: readonly Kernel<typeof bindings, { n: 'u32' }>[]) {
  const buffers: DeviceBuffer[] = Array.from({ length: 8 }, () => device.from('fp32', Float32Array.of(1)));
  const total = device.from('fp32', Float32Array.of(0));
  const program = device.record(() => {
    for (let at = 0; at < DISPATCHES; at++) {
      const [x, w] = [buffers[at % 8]!, buffers[(at + 3) % 8]!];
      device.launch(kernels[at % kernels.length]!, { buffers: { x, w, y: total }, params: { n: 1 } });
    }
  }, 'replay');
  const encode: number[] = [];
  const submit: number[] = [];
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const start = performance.now();
      program.run();
      const encoded = performance.now();
      device.flush();
      const submitted = performance.now();
      await device.sync();
      encode.push(encoded - start);
      submit.push(submitted - encoded);
    }
    const [sum] = await device.read(total);
    if (sum !== ROUNDS * DISPATCHES) throw new Error(`replay: expected ${ROUNDS * DISPATCHES} additions, got ${sum}`);
  } finally {
    program.dispose();
    for (const buffer of [...buffers, total]) buffer.dispose();
  }
  return { encode: fastTenth(encode), submit: fastTenth(submit) };
}

/** What JavaScript costs per launch of a recorded program: a token of a large model is a few hundred of them. */
const bench: Bench = {
  id: 'replay',
  async run(device, report) {
    const five = ['touch_a', 'touch_b', 'touch_c', 'touch_d', 'touch_e'].map(touch);
    for (const [name, kernels] of [
      ['one kernel', five.slice(0, 1)],
      ['five kernels in turn', five],
    ] as const) {
      await timeReplay(device, kernels);
      const { encode, submit } = await timeReplay(device, kernels);
      report({
        name: `replay, ${DISPATCHES} launches, ${name}`,
        device: device.name,
        microseconds: (1e3 * encode) / DISPATCHES,
        columns: {
          'encode, ms': encode.toFixed(3),
          'submit, ms': submit.toFixed(3),
          'launches/ms encoded': (DISPATCHES / encode).toFixed(0),
          'launches/ms in all': (DISPATCHES / (encode + submit)).toFixed(0),
        },
      });
    }
  },
};
export default bench;
