import { compare, Random } from '@xlstm-tooling/kernel-harness';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { MlstmOptions } from '../inputs.ts';
import type { MlstmShape } from '../shape.ts';
import { FORMS } from '../testing/forms.ts';
import { type Oracle, oracle } from '../testing/oracle.ts';
import { cutCell, randomCell } from '../testing/random-cell.ts';
import { type CellResult, runCell } from '../testing/run-cell.ts';

const shapes = fc.record({
  B: fc.integer({ min: 1, max: 2 }),
  NH: fc.integer({ min: 1, max: 3 }),
  S: fc.integer({ min: 1, max: 150 }),
  DHQK: fc.integer({ min: 1, max: 20 }),
  DHHV: fc.integer({ min: 1, max: 20 }),
});

const contents = fc.record({
  seed: fc.nat(),
  gates: fc.constantFrom(0.3, 2, 8),
  extremes: fc.boolean(),
  initial: fc.boolean(),
});

const cellOptions: fc.Arbitrary<MlstmOptions> = fc.constantFrom<MlstmOptions[]>(
  { gate: 'exp' },
  { gate: 'exp', eps: 0 },
  { gate: 'sigmoid' },
  { gate: 'sigmoid', normalize: false },
);

const form = fc.constantFrom(...Object.keys(FORMS));

/** Float32 over a few hundred steps, with gates up to ±100 in the exponents. */
const BUDGET = { relativeRms: 1e-5, atol: 3e-5, rtol: 3e-4 };
/** exp of less is 0 in float64: nothing is left of the state, and m is only known to its own rounding. */
const NOTHING_LEFT = -700;
/** Below float32's smallest normal number, devices may round to zero. */
const SMALLEST = 1e-36;

function expectSamePlane(
  name: string,
  actual: { plane: Float32Array; m: Float32Array },
  expected: { plane: Float64Array; m: Float64Array },
): void {
  const width = expected.plane.length / expected.m.length;
  for (let head = 0; head < expected.m.length; head++) {
    if (expected.m[head]! < NOTHING_LEFT) {
      expect(actual.m[head], `m of head ${head}`).toBeLessThan(NOTHING_LEFT);
      continue;
    }
    const scale = Math.exp(actual.m[head]! - expected.m[head]!);
    const reference = expected.plane.subarray(head * width, (head + 1) * width);
    const largest = reference.reduce((most, value) => Math.max(most, Math.abs(value)), SMALLEST);
    const worst = reference.reduce(
      (most, value, place) => Math.max(most, Math.abs(actual.plane[head * width + place]! * scale - value)),
      0,
    );
    expect(worst / largest, `${name} of head ${head}, relative to its largest element`).toBeLessThan(3e-5);
  }
}

function expectSameState(actual: CellResult['state'], expected: Oracle): void {
  expectSamePlane('C', { plane: actual.c, m: actual.m }, { plane: expected.c, m: expected.m });
  expectSamePlane('n', { plane: actual.n, m: actual.m }, { plane: expected.n, m: expected.m });
}

function expectSameOutput(actual: Float32Array, { h, condition }: Oracle): void {
  const weighed = actual.map((value, place) => value * condition[place]!);
  const result = compare(
    weighed,
    h.map((value, place) => value * condition[place]!),
    BUDGET,
  );
  expect(
    result.pass,
    `h: relative RMS ${result.relativeRms.toExponential(2)}, worst ${JSON.stringify(result.worst)}, share ${result.share}`,
  ).toBe(true);
}

await describeDevices('forms of the mLSTM', (device, kind) => {
  // A software adapter compiles a pipeline per width of a head.
  const numRuns = kind === 'cpu' ? 150 : 12;

  it('all compute the recurrence, outputs and states', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, contents, cellOptions, form, async (shape, { seed, ...content }, options, name) => {
        const cell = randomCell(new Random(seed), shape, { ...content, sigmoid: options.gate === 'sigmoid' });
        const result = await runCell(device, FORMS[name]!, shape, cell, options);
        const expected = oracle(shape, cell, options);
        expectSameOutput(result.h, expected);
        expectSameState(result.state, expected);
      }),
      { numRuns },
    );
  });

  it('go on from a state as if the sequence had not been cut', async () => {
    const cut = fc.double({ min: 0, max: 1, noNaN: true });
    await fc.assert(
      fc.asyncProperty(
        shapes.filter(({ S }) => S > 1),
        contents,
        cellOptions,
        fc.tuple(form, form),
        cut,
        async (shape, { seed, ...content }, options, [first, second], share) => {
          const cell = randomCell(new Random(seed), shape, { ...content, sigmoid: options.gate === 'sigmoid' });
          const at = Math.min(shape.S - 1, 1 + Math.floor(share * (shape.S - 1)));
          const length = (S: number): MlstmShape => ({ ...shape, S });
          const before = await runCell(device, FORMS[first]!, length(at), cutCell(shape, cell, 0, at), options);
          const { c, n, m } = before.state;
          const state = Float32Array.from([...c, ...n, ...m]);
          const rest = { ...cutCell(shape, cell, at, shape.S), state };
          const after = await runCell(device, FORMS[second]!, length(shape.S - at), rest, options);
          const whole = oracle(shape, cell, options);
          const h = new Float32Array(whole.h.length);
          const row = shape.DHHV;
          for (let head = 0; head < shape.B * shape.NH; head++) {
            h.set(before.h.subarray(head * at * row, (head + 1) * at * row), head * shape.S * row);
            const tail = (shape.S - at) * row;
            h.set(after.h.subarray(head * tail, (head + 1) * tail), (head * shape.S + at) * row);
          }
          expectSameOutput(h, whole);
          expectSameState(after.state, whole);
        },
      ),
      { numRuns: Math.ceil(numRuns / 2) },
    );
  });
});
