import { Arena } from '@xlstm/device';
import { compare, Random, type Tolerance } from '@xlstm-tooling/kernel-harness';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { headMajor, sequenceMajor } from '../layout.ts';
import { slstmInputLayout } from '../slstm-layout.ts';
import type { SlstmBackwardOptions } from '../slstm-options.ts';
import { slstmSavedLength, slstmStateLength } from '../slstm-shape.ts';
import { cutSteps, runSlstm } from '../testing/run-slstm.ts';
import { slstmArrays } from '../testing/slstm-case-data.ts';
import { backward64, forward64 } from '../testing/slstm-float64.ts';
import { slstm } from './slstm.ts';
import { slstmBackward } from './slstm-backward.ts';

const CLOSE: Tolerance = { relativeRms: 4e-6, atol: 1e-5, rtol: 2e-5 };

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, name: string): void {
  const { pass, relativeRms, worst } = compare(actual, expected, CLOSE);
  expect(pass, `${name}: relative RMS ${relativeRms.toExponential(2)}, worst ${JSON.stringify(worst)}`).toBe(true);
}

await describeDevices('sLSTM', (device, kind) => {
  it('gives the same for a sequence cut anywhere: outputs, states, gradients', async () => {
    const shapes = fc.record({
      B: fc.integer({ min: 1, max: 5 }),
      S: fc.integer({ min: 2, max: 9 }),
      NH: fc.integer({ min: 1, max: 3 }),
      DH: fc.constantFrom(1, 4, 37, 64),
    });
    const cellOptions = fc.constantFrom<SlstmBackwardOptions[]>(
      {},
      { forwardClip: 0.3, gradientRecurrentClip: 0.05 },
      { gradientRecurrentCut: true },
    );
    const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    await fc.assert(
      fc.asyncProperty(shapes, fc.nat(), place, cellOptions, async (shape, seed, at, options) => {
        const { B, S, NH, DH } = shape;
        const cut = 1 + Math.floor(at * (S - 1));
        const random = new Random(seed);
        const arrays = slstmArrays(random, shape, { initial: 'mixed' });
        const dy = random.normals(B * S * NH * DH);
        const dlast = random.normals(slstmStateLength(shape));
        const whole = await runSlstm(device, shape, arrays, { dy, dlast }, options);
        const part = (first: number, end: number, state: Float32Array, after: Float32Array) => {
          const x = cutSteps(arrays.x, { S, outer: B }, first, end);
          const given = { dy: cutSteps(dy, { S, outer: B * NH }, first, end), dlast: after };
          return runSlstm(device, { ...shape, S: end - first }, { ...arrays, x, state }, given, options);
        };
        const { state } = await part(0, cut, arrays.state, dlast);
        const second = await part(cut, S, state, dlast);
        const first = await part(0, cut, arrays.state, second.dstate);
        const sum = (name: 'drecurrent' | 'dbias') => first[name].map((value, index) => value + second[name][index]!);
        expectClose(second.state, whole.state, 'state');
        expectClose(first.dstate, whole.dstate, 'dstate');
        expectClose(sum('drecurrent'), whole.drecurrent, 'drecurrent');
        expectClose(sum('dbias'), whole.dbias, 'dbias');
        for (const [from, to, { y, dx }] of [
          [0, cut, first],
          [cut, S, second],
        ] as const) {
          expectClose(y, cutSteps(whole.y, { S, outer: B * NH }, from, to), 'y');
          expectClose(dx, cutSteps(whole.dx, { S, outer: B }, from, to), 'dx');
        }
      }),
      { numRuns: kind === 'cpu' ? 30 : 6, seed: 11 },
    );
  });

  it('steps as it takes sequences', async () => {
    const shape = { B: 3, S: 5, NH: 2, DH: 10 };
    const arrays = slstmArrays(new Random(3), shape, { initial: 'empty' });
    const whole = await runSlstm(device, shape, arrays, {});
    const outer = shape.B * shape.NH;
    let { state } = arrays;
    for (let s = 0; s < shape.S; s++) {
      const x = cutSteps(arrays.x, { S: shape.S, outer: shape.B }, s, s + 1);
      const step = await runSlstm(device, { ...shape, S: 1 }, { ...arrays, x, state }, {});
      expectClose(step.y, cutSteps(whole.y, { S: shape.S, outer }, s, s + 1), `y of step ${s}`);
      state = step.state;
    }
    expectClose(state, whole.state, 'state');
  });

  it('reads and writes columns of wider tensors, adds to gradients, and repeats its bits in a recorded program', async () => {
    const shape = { B: 2, S: 6, NH: 2, DH: 5 };
    const { B, S, NH, DH } = shape;
    const random = new Random(8);
    const arrays = slstmArrays(random, shape);
    const dy = random.normals(B * S * NH * DH);
    const plain = await runSlstm(device, shape, arrays, { dy });
    const columns = 4 * NH * DH;
    const rowStride = columns + 7;
    const inWide = slstmInputLayout(shape, rowStride, 3);
    const wide = (data: Float32Array) => {
      const rows = new Float32Array(B * S * rowStride).fill(7);
      for (let row = 0; row < B * S; row++)
        rows.set(data.subarray(row * columns, (row + 1) * columns), row * rowStride + 3);
      return rows;
    };
    using arena = new Arena(device);
    const upload = (data: Float32Array) => {
      const buffer = arena.alloc('fp32', data.length);
      device.upload(buffer, data);
      return buffer;
    };
    const x = upload(wide(arrays.x));
    const [recurrent, bias, initial] = [upload(arrays.recurrent), upload(arrays.bias), upload(arrays.state)];
    const state = upload(arrays.state);
    const y = { buffer: upload(new Float32Array(B * S * NH * DH)), layout: sequenceMajor(shape, DH) };
    const saved = upload(new Float32Array(slstmSavedLength(shape)));
    const given = { buffer: upload(dy), layout: headMajor(shape, DH) };
    const ones = (length: number) => upload(new Float32Array(length).fill(1));
    const targets = {
      x: { buffer: upload(wide(new Float32Array(B * S * columns).fill(1))), layout: inWide, accumulate: true },
      recurrent: { buffer: ones(arrays.recurrent.length), accumulate: true },
      bias: { buffer: ones(arrays.bias.length), accumulate: true },
      state: { buffer: ones(arrays.state.length), accumulate: true },
    };
    using program = device.record(() => {
      device.copy(initial, state);
      slstm(arena, shape, { x: { buffer: x, layout: inWide }, recurrent, bias, state, y, saved });
      slstmBackward(arena, shape, { recurrent, saved, y, dy: given }, targets);
    });
    const read = async () => ({
      y: (await device.read(y.buffer)) as Float32Array,
      x: (await device.read(targets.x.buffer)) as Float32Array,
      recurrent: (await device.read(targets.recurrent.buffer)) as Float32Array,
      bias: (await device.read(targets.bias.buffer)) as Float32Array,
      state: (await device.read(targets.state.buffer)) as Float32Array,
    });
    const plus = (data: Float32Array, times: number) => data.map((value) => 1 + times * value);
    program.run();
    const once = await read();
    program.run();
    const twice = await read();
    for (const [values, times] of [
      [once, 1],
      [twice, 2],
    ] as const) {
      expectClose(values.x, wide(plus(plain.dx, times)), 'dx');
      expectClose(values.recurrent, plus(plain.drecurrent, times), 'drecurrent');
      expectClose(values.bias, plus(plain.dbias, times), 'dbias');
      expectClose(values.state, plus(plain.dstate, times), 'dstate');
    }
    expect(twice.y).toEqual(once.y);
    for (let b = 0; b < B; b++) {
      for (let head = 0; head < NH; head++) {
        for (let s = 0; s < S; s++) {
          const row = once.y.subarray(((b * S + s) * NH + head) * DH, ((b * S + s) * NH + head + 1) * DH);
          expectClose(row, plain.y.subarray(((b * NH + head) * S + s) * DH, ((b * NH + head) * S + s + 1) * DH), 'y');
        }
      }
    }
    expect(await runSlstm(device, shape, arrays, { dy })).toEqual(plain);
  });

  it('computes each gradient by itself, and leaves the others alone', async () => {
    const shape = { B: 2, S: 4, NH: 2, DH: 5 };
    const { B, S, NH, DH } = shape;
    const random = new Random(9);
    const arrays = slstmArrays(random, shape);
    const dlast = random.normals(slstmStateLength(shape));
    const all = await runSlstm(device, shape, arrays, { dlast });
    using arena = new Arena(device);
    const upload = (data: Float32Array) => {
      const buffer = arena.alloc('fp32', data.length);
      device.upload(buffer, data);
      return buffer;
    };
    const [recurrent, bias, state] = [upload(arrays.recurrent), upload(arrays.bias), upload(arrays.state)];
    const x = { buffer: upload(arrays.x), layout: slstmInputLayout(shape) };
    const y = { buffer: upload(new Float32Array(B * S * NH * DH)), layout: headMajor(shape, DH) };
    const saved = upload(new Float32Array(slstmSavedLength(shape)));
    slstm(arena, shape, { x, recurrent, bias, state, y, saved });
    const given = { recurrent, saved, y, dlast: upload(dlast) };
    const names = { x: 'dx', recurrent: 'drecurrent', bias: 'dbias', state: 'dstate' } as const;
    for (const [name, output] of Object.entries(names)) {
      const buffer = upload(new Float32Array(all[output].length).fill(Number.NaN));
      slstmBackward(arena, shape, given, { [name]: { buffer, ...(name === 'x' ? { layout: x.layout } : {}) } });
      expect(await device.read(buffer), name).toEqual(all[output]);
      arena.release(buffer);
    }
  });

  it('sums the weight gradient of many rows in parts', async () => {
    const shape = { B: 4, S: 160, NH: 1, DH: 3 };
    const random = new Random(12);
    const arrays = slstmArrays(random, shape);
    const dy = random.normals(4 * 160 * 3);
    const { drecurrent, dbias } = await runSlstm(device, shape, arrays, { dy });
    const wide = (data: Float32Array) => Float64Array.from(data);
    const cell = {
      x: wide(arrays.x),
      recurrent: wide(arrays.recurrent),
      bias: wide(arrays.bias),
      state: wide(arrays.state),
    };
    const given = { dy: wide(dy), dlast: new Float64Array(arrays.state.length) };
    const expected = backward64(shape, cell.recurrent, forward64(shape, cell), given);
    expectClose(drecurrent, expected.recurrent, 'drecurrent');
    expectClose(dbias, expected.bias, 'dbias');
  });

  it('survives gates at both ends, and hands NaN through', async () => {
    const shape = { B: 2, S: 12, NH: 1, DH: 6 };
    const arrays = slstmArrays(new Random(2), shape, { extremes: true, initial: 'empty' });
    const ones = new Float32Array(2 * 12 * 6).fill(1);
    const result = await runSlstm(device, shape, arrays, { dy: ones });
    for (const values of Object.values(result)) expect(values.every(Number.isFinite)).toBe(true);
    arrays.x.fill(Number.NaN, 5 * 24, 6 * 24);
    const spoilt = await runSlstm(device, shape, arrays, { dy: ones });
    expect([...spoilt.y.subarray(5 * 6, 6 * 6)].every(Number.isNaN)).toBe(true);
    expect(spoilt.y.subarray(0, 5 * 6)).toEqual(result.y.subarray(0, 5 * 6));
    expect(spoilt.y.subarray(12 * 6)).toEqual(result.y.subarray(12 * 6));
    expect([...spoilt.drecurrent].every(Number.isNaN)).toBe(true);
  });
});
