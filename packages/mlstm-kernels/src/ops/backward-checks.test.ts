import { Arena, type DeviceBuffer, OptionError, ShapeError } from '@xlstm/device';
import { Random } from '@xlstm-tooling/kernel-harness';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import { expect, it } from 'vitest';
import type { MlstmBackwardInputs, MlstmGradients } from '../backward-inputs.ts';
import { headMajor, type Layout, type Operand, sequenceMajor } from '../layout.ts';
import { selectMlstmBackward, selectMlstmKernel } from '../registry.ts';
import type { MlstmShape } from '../shape.ts';
import { mlstmStateLength } from '../state.ts';
import { randomCell } from '../testing/random-cell.ts';
import { BACKWARD_FORMS, runBackward } from '../testing/run-backward.ts';
import { mlstmChunkwiseBackward } from './mlstm-chunkwise-backward.ts';
import { mlstmParallelBackward } from './mlstm-parallel-backward.ts';
import { mlstmRecurrent, mlstmStep } from './mlstm-recurrent.ts';

const SHAPE: MlstmShape = { B: 2, NH: 3, S: 5, DHQK: 4, DHHV: 6 };
const ROWS = SHAPE.B * SHAPE.NH * SHAPE.S;
const WIDTHS = { q: SHAPE.DHQK, k: SHAPE.DHQK, v: SHAPE.DHHV, i: 1, f: 1 };
const NAMES = ['q', 'k', 'v', 'i', 'f'] as const;

function made() {
  const random = new Random(5);
  const cell = randomCell(random, SHAPE, { gates: 1, extremes: false, initial: true, sigmoid: false });
  return { cell, dh: random.normals(ROWS * SHAPE.DHHV) };
}

/** Columns q | k | v of one row, and i | f of another, with a gap before them. */
function fusedLayouts(): Record<(typeof NAMES)[number], Layout> {
  const { NH, DHQK, DHHV } = SHAPE;
  const wide = 1 + NH * (2 * DHQK + DHHV);
  return {
    q: sequenceMajor(SHAPE, DHQK, wide, 1),
    k: sequenceMajor(SHAPE, DHQK, wide, 1 + NH * DHQK),
    v: sequenceMajor(SHAPE, DHHV, wide, 1 + 2 * NH * DHQK),
    i: sequenceMajor(SHAPE, 1, 2 * NH + 1, 1),
    f: sequenceMajor(SHAPE, 1, 2 * NH + 1, 1 + NH),
  };
}

/** Element `index` of a contiguous [B, NH, S, width] under a layout. */
function placeOf(layout: Layout, width: number, index: number): number {
  const row = Math.floor(index / width);
  const [b, head, s] = [Math.floor(row / (SHAPE.NH * SHAPE.S)), Math.floor(row / SHAPE.S) % SHAPE.NH, row % SHAPE.S];
  return layout.offset + b * layout.batch + head * layout.head + s * layout.step + (index % width);
}

await describeDevices("mLSTM's backward on buffers", (device) => {
  async function withCall(
    body: (
      inputs: MlstmBackwardInputs & { state: DeviceBuffer },
      gradients: MlstmGradients,
      arena: Arena,
    ) => Promise<void> | void,
  ): Promise<void> {
    const arena = new Arena(device);
    const { cell, dh } = made();
    const buffers: DeviceBuffer[] = [];
    const upload = (data: Float32Array): DeviceBuffer => {
      const buffer = device.from('fp32', data);
      buffers.push(buffer);
      return buffer;
    };
    const operand = (data: Float32Array, width: number): Operand => ({
      buffer: upload(data),
      layout: headMajor(SHAPE, width),
    });
    const space = (width: number): Operand => operand(new Float32Array(ROWS * width).fill(Number.NaN), width);
    try {
      const inputs = {
        q: operand(cell.q, SHAPE.DHQK),
        k: operand(cell.k, SHAPE.DHQK),
        v: operand(cell.v, SHAPE.DHHV),
        i: operand(cell.i, 1),
        f: operand(cell.f, 1),
        h: space(SHAPE.DHHV),
        readout: space(2).buffer,
        initial: upload(cell.state!),
        state: upload(cell.state!),
        dh: operand(dh, SHAPE.DHHV),
      };
      const gradients = {
        dq: space(SHAPE.DHQK),
        dk: space(SHAPE.DHQK),
        dv: space(SHAPE.DHHV),
        di: space(1),
        df: space(1),
      };
      await body(inputs, gradients, arena);
    } finally {
      arena.dispose();
      for (const buffer of buffers) buffer.dispose();
    }
  }

  it.each(['chunkwise--two-pass', 'parallel--naive'])(
    '%s adds to gradients that are columns of one buffer, in a recorded program too, and leaves the rest alone',
    async (name) => {
      const { cell, dh } = made();
      const { gradients: expected } = await runBackward(device, BACKWARD_FORMS['chunkwise 64']!, SHAPE, cell, { dh });
      const layouts = fusedLayouts();
      await withCall(async (inputs, _, arena) => {
        const rows = SHAPE.B * SHAPE.S;
        const before = {
          wide: new Random(1).normals(rows * layouts.q.step),
          narrow: new Random(2).normals(rows * layouts.i.step),
        };
        using wide = device.from('fp32', before.wide);
        using narrow = device.from('fp32', before.narrow);
        const initial = new Random(3).normals(mlstmStateLength(SHAPE));
        using dinitial = device.from('fp32', initial);
        const gradients: MlstmGradients = {
          dq: { buffer: wide, layout: layouts.q },
          dk: { buffer: wide, layout: layouts.k },
          dv: { buffer: wide, layout: layouts.v },
          di: { buffer: narrow, layout: layouts.i },
          df: { buffer: narrow, layout: layouts.f },
          dinitial,
        };
        using program = device.record(() => {
          selectMlstmKernel(name)(arena, SHAPE, inputs);
          selectMlstmBackward(name)(arena, SHAPE, inputs, gradients, { accumulate: true });
        });
        program.run();
        const after = { wide: await device.read(wide), narrow: await device.read(narrow) };
        for (const part of NAMES) {
          const side = part === 'i' || part === 'f' ? 'narrow' : 'wide';
          for (const [index, gradient] of expected[part].entries()) {
            const place = placeOf(layouts[part], WIDTHS[part], index);
            expect(after[side][place]! - before[side][place]!, `d${part}`).toBeCloseTo(gradient, 4);
            after[side][place] = before[side][place]!;
          }
        }
        expect(after).toEqual(before);
        const started = (await device.read(dinitial)) as Float32Array;
        for (const [index, gradient] of expected.initial.entries()) {
          expect(started[index]! - initial[index]!).toBeCloseTo(gradient, 4);
        }
      });
    },
  );

  it('gives the same bits each time', async () => {
    const { cell, dh } = made();
    const form = BACKWARD_FORMS['chunkwise 64']!;
    const first = await runBackward(device, form, SHAPE, cell, { dh });
    expect(await runBackward(device, form, SHAPE, cell, { dh })).toEqual(first);
  });

  it('refuses what it cannot do before anything is queued', async () => {
    await withCall(async (inputs, gradients, arena) => {
      const call = (changed: Partial<MlstmGradients>, options = {}) =>
        mlstmChunkwiseBackward(arena, SHAPE, inputs, { ...gradients, ...changed }, options);
      expect(() => call({ dq: inputs.q })).toThrow(/q and dq, which is written, share buffer/);
      expect(() => call({ dinitial: inputs.initial })).toThrow(/initial and dinitial, which is written, share/);
      expect(() => call({ dk: gradients.dq })).toThrow(/dq and dk overlap in buffer/);
      expect(() => call({ dv: { ...gradients.dv, layout: { ...gradients.dv.layout, step: 0 } } })).toThrow(
        /rows of dv overlap/,
      );
      expect(() => call({ df: { ...gradients.df, layout: { ...gradients.df.layout, offset: 1 } } })).toThrow(
        /df reaches element 31/,
      );
      expect(() => call({}, { accumulate: 1 })).toThrow(/accumulate must be true or false, got 1/);
      expect(() => call({}, { chunkSize: 48 })).toThrow(/chunkSize must be a multiple of 32/);
      expect(() => call({}, { chunks: 48 })).toThrow(OptionError);
      const readout = inputs.h.buffer;
      expect(() => mlstmChunkwiseBackward(arena, SHAPE, { ...inputs, readout }, gradients)).toThrow(
        /readout must be fp32 of 60 elements/,
      );
      expect(() => mlstmParallelBackward(arena, { ...SHAPE, S: 0 }, inputs, gradients)).toThrow(ShapeError);
      expect(() => mlstmParallelBackward(arena, SHAPE, inputs, gradients, { chunkSize: 64 } as object)).toThrow(
        /no option is called chunkSize/,
      );
      expect(arena.size).toBe(0);
      const dq = (await device.read(gradients.dq.buffer)) as Float32Array;
      expect(dq.every(Number.isNaN)).toBe(true);
    });
  });

  it('keeps a readout only in the forms that have a backward', async () => {
    await withCall((inputs, _, arena) => {
      const forms = [mlstmRecurrent, mlstmStep];
      for (const form of forms) {
        const shape = { ...SHAPE, S: form === mlstmStep ? 1 : SHAPE.S };
        const readout = device.alloc('fp32', 2 * SHAPE.B * SHAPE.NH * shape.S);
        expect(() => form(arena.device, shape, { ...inputs, readout })).toThrow(/which this form has none of/);
        readout.dispose();
      }
    });
    expect(() => selectMlstmBackward('recurrent--step')).toThrow(
      /has no backward form; pick one of chunkwise--two-pass/,
    );
  });
});
