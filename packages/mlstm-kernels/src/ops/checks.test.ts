import { Arena, DtypeError, OptionError, ShapeError } from '@xlstm/device';
import { Random } from '@xlstm-tooling/kernel-harness';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import { expect, it } from 'vitest';
import type { MlstmInputs, MlstmOptions } from '../inputs.ts';
import { headMajor, sequenceMajor } from '../layout.ts';
import { mlstmKernelNames, selectMlstmKernel } from '../registry.ts';
import type { MlstmShape } from '../shape.ts';
import { mlstmStateLength, readMlstmState } from '../state.ts';
import { randomCell } from '../testing/random-cell.ts';
import { runCell } from '../testing/run-cell.ts';
import { mlstmChunkwise } from './mlstm-chunkwise.ts';
import { mlstmParallel } from './mlstm-parallel.ts';
import { mlstmRecurrent, mlstmStep } from './mlstm-recurrent.ts';
import { mlstmSequence } from './mlstm-sequence.ts';

const SHAPE: MlstmShape = { B: 2, NH: 3, S: 5, DHQK: 4, DHHV: 6 };

await describeDevices('mLSTM on buffers', (device) => {
  /** Contiguous operands of `SHAPE`, for `body` to spoil. */
  async function withInputs(body: (inputs: MlstmInputs, arena: Arena) => Promise<void> | void): Promise<void> {
    const arena = new Arena(device);
    const { B, NH, S } = SHAPE;
    const operand = (width: number) => ({
      buffer: arena.alloc('fp32', B * NH * S * width),
      layout: headMajor(SHAPE, width),
    });
    try {
      await body(
        {
          q: operand(SHAPE.DHQK),
          k: operand(SHAPE.DHQK),
          v: operand(SHAPE.DHHV),
          i: operand(1),
          f: operand(1),
          state: device.alloc('fp32', mlstmStateLength(SHAPE), { owner: 'mlstm test' }),
          h: operand(SHAPE.DHHV),
        },
        arena,
      );
    } finally {
      arena.dispose();
    }
  }

  it('reads q, k, v and gates out of one fused buffer and writes h sequence-major', async () => {
    const { B, NH, S, DHQK, DHHV } = SHAPE;
    const cell = randomCell(new Random(5), SHAPE, { gates: 1, extremes: false, initial: true, sigmoid: false });
    const widths = { q: DHQK, k: DHQK, v: DHHV, i: 1, f: 1 };
    const rowStride = NH * (2 * DHQK + DHHV + 2) + 3;
    const fused = new Float32Array(B * S * rowStride).fill(Number.NaN);
    const layouts = {} as Record<keyof typeof widths, ReturnType<typeof sequenceMajor>>;
    let column = 2;
    for (const name of ['q', 'k', 'v', 'i', 'f'] as const) {
      const width = widths[name];
      layouts[name] = sequenceMajor(SHAPE, width, rowStride, column);
      for (let row = 0; row < B * NH * S; row++) {
        const [b, head, s] = [Math.floor(row / (NH * S)), Math.floor(row / S) % NH, row % S];
        const start = (b * S + s) * rowStride + column + head * width;
        fused.set(cell[name].subarray(row * width, (row + 1) * width), start);
      }
      column += NH * width;
    }
    for (const name of mlstmKernelNames()) {
      if (name === 'step--fused') continue;
      const form = selectMlstmKernel(name);
      const plain = await runCell(device, form, SHAPE, cell);
      using buffer = device.from('fp32', fused);
      using state = device.from('fp32', cell.state!);
      using h = device.alloc('fp32', B * S * NH * DHHV);
      using arena = new Arena(device);
      const operand = (part: keyof typeof widths) => ({ buffer, layout: layouts[part] });
      form(arena, SHAPE, {
        q: operand('q'),
        k: operand('k'),
        v: operand('v'),
        i: operand('i'),
        f: operand('f'),
        state,
        h: { buffer: h, layout: sequenceMajor(SHAPE, DHHV) },
      });
      const written = (await device.read(h)) as Float32Array;
      for (let place = 0; place < plain.h.length; place++) {
        const [row, e] = [Math.floor(place / DHHV), place % DHHV];
        const [b, head, s] = [Math.floor(row / (NH * S)), Math.floor(row / S) % NH, row % S];
        expect(written[((b * S + s) * NH + head) * DHHV + e]).toBe(plain.h[place]);
      }
      expect(await readMlstmState(device, state, SHAPE)).toEqual(plain.state);
    }
  });

  it('leaves m at 0 for the sigmoid gate', async () => {
    const cell = randomCell(new Random(6), SHAPE, { gates: 1, extremes: false, initial: true, sigmoid: true });
    for (const form of [mlstmSequence, selectMlstmKernel('recurrent--step')]) {
      const { state } = await runCell(device, form, SHAPE, cell, { gate: 'sigmoid' });
      expect([...state.m]).toEqual(Array(SHAPE.B * SHAPE.NH).fill(0));
    }
  });

  it('takes one step in a sequence of one', async () => {
    const one = { ...SHAPE, S: 1 };
    const cell = randomCell(new Random(7), one, { gates: 1, extremes: false, initial: true, sigmoid: false });
    const step = await runCell(device, selectMlstmKernel('step--fused'), one, cell);
    expect(await runCell(device, mlstmSequence, one, cell)).toEqual(step);
  });

  it('hands NaN through', async () => {
    const cell = randomCell(new Random(8), SHAPE, { gates: 1, extremes: false, initial: false, sigmoid: false });
    cell.f[2] = Number.NaN;
    for (const name of ['recurrent--step', 'chunkwise--two-pass', 'parallel--naive']) {
      const { h, state } = await runCell(device, selectMlstmKernel(name), SHAPE, cell);
      // Step 2 of the first head on, and no other head.
      expect(Number.isNaN(h[2 * SHAPE.DHHV]), name).toBe(true);
      expect(Number.isNaN(h[4 * SHAPE.DHHV]), name).toBe(true);
      expect(h.subarray(SHAPE.S * SHAPE.DHHV).some(Number.isNaN), name).toBe(false);
      expect(Number.isNaN(state.c[0]), name).toBe(true);
    }
  });

  it('refuses shapes and buffers that do not fit, before anything changes', () =>
    withInputs(async (inputs, arena) => {
      const { h, state, v } = inputs;
      const call =
        (change: Partial<MlstmInputs>, shape: Partial<MlstmShape> = {}) =>
        () =>
          mlstmSequence(arena, { ...SHAPE, ...shape }, { ...inputs, ...change });
      expect(call({}, { S: 0 })).toThrow(ShapeError);
      expect(call({}, { DHQK: 1.5 })).toThrow(/DHQK must be a positive integer, got 1.5/);
      expect(call({}, { S: 6 })).toThrow(/q reaches element .* buffer .* has/);
      expect(call({ v: { ...v, layout: { ...v.layout, offset: 1 } } })).toThrow(/mlstmChunkwise: v reaches element/);
      expect(call({ v: { ...v, layout: { ...v.layout, head: -1 } } })).toThrow(/layout.head of v/);
      expect(call({ h: { ...h, layout: { ...h.layout, step: 3 } } })).toThrow(/rows of h overlap/);
      expect(call({ state: v.buffer })).toThrow(/state must have 174 elements/);
      expect(call({ h: v })).toThrow(OptionError);
      using half = device.alloc('fp16', v.buffer.length);
      expect(call({ v: { ...v, buffer: half } })).toThrow(DtypeError);
      expect(() => mlstmStep(device, SHAPE, inputs)).toThrow(/mlstmStep: S must be 1, got S=5; call mlstmSequence/);
      await expect(readMlstmState(device, state, { ...SHAPE, B: 3 })).rejects.toThrow(ShapeError);
      expect(await device.read(state)).toEqual(new Float32Array(state.length));
      state.dispose();
    }));

  it('refuses options that it does not know or cannot serve', () =>
    withInputs((inputs, arena) => {
      const bad: [object, RegExp][] = [
        [{ gate: 'tanh' }, /gate must be 'exp' or 'sigmoid', got "tanh"/],
        [{ normalize: false }, /normalize: false needs gate 'sigmoid'/],
        [{ normalize: 1 }, /normalize must be true or false/],
        [{ eps: Number.NaN }, /eps must be a finite number/],
        [{ eps: -1 }, /eps/],
        [{ chunk: 3 }, /no option is called chunk/],
      ];
      for (const [options, message] of bad) {
        const call = options as MlstmOptions;
        expect(() => mlstmRecurrent(device, SHAPE, inputs, call)).toThrow(message);
        expect(() => mlstmChunkwise(arena, SHAPE, inputs, call)).toThrow(message);
        expect(() => mlstmParallel(arena, SHAPE, inputs, call)).toThrow(OptionError);
      }
      for (const chunkSize of [0, -32, 16, 48, 288, Number.NaN]) {
        expect(() => mlstmChunkwise(arena, SHAPE, inputs, { chunkSize })).toThrow(
          /chunkSize must be a multiple of 32 up to 256/,
        );
      }
      inputs.state.dispose();
    }));
});

it('the registry lists the forms and refuses other names', () => {
  expect(mlstmKernelNames()).toEqual(['chunkwise--two-pass', 'parallel--naive', 'recurrent--step', 'step--fused']);
  expect(() => selectMlstmKernel('chunkwise--xl')).toThrow(/pick one of chunkwise--two-pass, parallel--naive/);
  expect(() => selectMlstmKernel('toString')).toThrow(OptionError);
});
