import { compare, Random } from '@xlstm-tooling/kernel-harness';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { MlstmOptions } from '../inputs.ts';
import type { MlstmShape } from '../shape.ts';
import { mlstmStateLength } from '../state.ts';
import { Float64Device } from '../testing/float64-device.ts';
import { oracle } from '../testing/oracle.ts';
import { cutCell, randomCell } from '../testing/random-cell.ts';
import { BACKWARD_FORMS, GRADIENTS, type Gradients, runBackward, type Upstream } from '../testing/run-backward.ts';
import type { HostCell } from '../testing/run-cell.ts';

const shapes = fc.record({
  B: fc.integer({ min: 1, max: 2 }),
  NH: fc.integer({ min: 1, max: 2 }),
  S: fc.integer({ min: 1, max: 150 }),
  DHQK: fc.integer({ min: 1, max: 20 }),
  DHHV: fc.integer({ min: 1, max: 20 }),
});

const contents = fc.record({
  seed: fc.nat(),
  gates: fc.constantFrom(0.3, 2, 8),
  extremes: fc.boolean(),
  initial: fc.boolean(),
  last: fc.boolean(),
});

const cellOptions: fc.Arbitrary<MlstmOptions> = fc.constantFrom<MlstmOptions[]>(
  { gate: 'exp' },
  { gate: 'exp', eps: 1e-2 },
  { gate: 'sigmoid' },
  { gate: 'sigmoid', normalize: false },
);

const form = fc.constantFrom(...Object.keys(BACKWARD_FORMS));
const float64 = new Float64Device();

interface Made {
  cell: HostCell;
  upstream: Upstream;
}

/** exp of less is 0 in float64: nothing is left of such a head's state, and m is only known to its own rounding. */
const NOTHING_LEFT = -700;

/** A cell and what flows back into it; steps whose terms nearly cancel, so that rounding is magnified, count less. */
function make(
  shape: MlstmShape,
  { seed, last, ...content }: { seed: number; last: boolean; gates: number; extremes: boolean; initial: boolean },
  options: MlstmOptions,
): Made {
  const random = new Random(seed);
  const cell = randomCell(random, shape, { ...content, sigmoid: options.gate === 'sigmoid' });
  const { condition, m } = oracle(shape, cell, options);
  const dh = random.normals(condition.length).map((x, index) => x * condition[index]! ** 2);
  if (!last) return { cell, upstream: { dh } };
  const dlast = random.normals(mlstmStateLength(shape));
  for (const [head, value] of m.entries()) {
    if (value >= NOTHING_LEFT) continue;
    const { DHQK, DHHV } = shape;
    const n = m.length * DHQK * DHHV;
    dlast.fill(0, head * DHQK * DHHV, (head + 1) * DHQK * DHHV);
    dlast.fill(0, n + head * DHQK, n + (head + 1) * DHQK);
    dlast.fill(0, n + m.length * DHQK + head, n + m.length * DHQK + head + 1);
  }
  return { cell, upstream: { dh, dlast } };
}

/** The gradients in float64, by a form that is none of those that a device runs. */
async function truth(shape: MlstmShape, { cell, upstream }: Made, options: MlstmOptions): Promise<Gradients> {
  return (await runBackward(float64, BACKWARD_FORMS.parallel!, shape, cell, upstream, options)).gradients;
}

/** Relative to the largest element. Closed gates (−100) bring exponents of thousands, which float32 rounds by 1e-4. */
const BUDGET = { ordinary: 1e-4, extreme: 1e-3 };

function expectSame(actual: Gradients, expected: Gradients, { extremes }: { extremes: boolean }): void {
  const budget = extremes ? BUDGET.extreme : BUDGET.ordinary;
  for (const part of GRADIENTS) {
    const largest = expected[part].reduce((most, value) => Math.max(most, Math.abs(value)), 1);
    const result = compare(actual[part], expected[part], {
      relativeRms: Number.POSITIVE_INFINITY,
      atol: budget * largest,
      rtol: 0,
    });
    expect(result.pass, `d${part}: worst ${JSON.stringify(result.worst)}, share ${result.share}`).toBe(true);
  }
}

/** Rows of two parts of a sequence after one another, by head. */
function join(shape: MlstmShape, before: Float32Array, after: Float32Array): Float32Array {
  const heads = shape.B * shape.NH;
  const whole = new Float32Array(before.length + after.length);
  const [first, second] = [before.length / heads, after.length / heads];
  for (let head = 0; head < heads; head++) {
    whole.set(before.subarray(head * first, (head + 1) * first), head * (first + second));
    whole.set(after.subarray(head * second, (head + 1) * second), head * (first + second) + first);
  }
  return whole;
}

await describeDevices("gradients of the mLSTM's forms", (device, kind) => {
  const numRuns = kind === 'cpu' ? 60 : 12;

  it('are the same', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, contents, cellOptions, form, async (shape, content, options, name) => {
        const made = make(shape, content, options);
        const { cell, upstream } = made;
        const { gradients } = await runBackward(device, BACKWARD_FORMS[name]!, shape, cell, upstream, options);
        expectSame(gradients, await truth(shape, made, options), content);
      }),
      { numRuns },
    );
  });

  it('are the same where a sequence is cut and goes on from its state', async () => {
    const longer = shapes.filter(({ S }) => S > 1);
    const cut = fc.double({ min: 0, max: 1, noNaN: true });
    await fc.assert(
      fc.asyncProperty(
        longer,
        contents,
        cellOptions,
        fc.tuple(form, form),
        cut,
        async (shape, content, options, [one, two], share) => {
          const made = make(shape, content, options);
          const { cell, upstream } = made;
          const at = Math.min(shape.S - 1, 1 + Math.floor(share * (shape.S - 1)));
          const gates = new Float32Array(shape.B * shape.NH * shape.S);
          // Cut as if it were a cell's values.
          const rows = { ...cell, v: upstream.dh, i: gates, f: gates };
          const part = (from: number, to: number) => ({
            shape: { ...shape, S: to - from },
            cell: cutCell(shape, cell, from, to),
            dh: cutCell(shape, rows, from, to).v,
          });
          const [head, tail] = [part(0, at), part(at, shape.S)];
          const form1 = BACKWARD_FORMS[one]!;
          const { last } = await runBackward(device, form1, head.shape, head.cell, { dh: head.dh }, options);
          const rest = { ...tail.cell, state: last };
          const after = await runBackward(
            device,
            BACKWARD_FORMS[two]!,
            tail.shape,
            rest,
            { dh: tail.dh, dlast: upstream.dlast },
            options,
          );
          const dlast = after.gradients.initial;
          const before = await runBackward(device, form1, head.shape, head.cell, { dh: head.dh, dlast }, options);
          const joined = { initial: before.gradients.initial } as Record<(typeof GRADIENTS)[number], Float32Array>;
          for (const name of ['q', 'k', 'v', 'i', 'f'] as const) {
            joined[name] = join(shape, before.gradients[name], after.gradients[name]);
          }
          expectSame(joined, await truth(shape, made, options), content);
        },
      ),
      { numRuns: Math.ceil(numRuns / 2) },
    );
  });
});
