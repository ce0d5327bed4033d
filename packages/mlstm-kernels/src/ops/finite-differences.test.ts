import { Random } from '@xlstm-tooling/kernel-harness';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { MlstmOptions } from '../inputs.ts';
import type { MlstmShape } from '../shape.ts';
import { mlstmStateLength } from '../state.ts';
import { Float64Device } from '../testing/float64-device.ts';
import { oracle } from '../testing/oracle.ts';
import { randomCell } from '../testing/random-cell.ts';
import { BACKWARD_FORMS, GRADIENTS, runBackward } from '../testing/run-backward.ts';
import type { HostCell } from '../testing/run-cell.ts';

const shapes = fc.record({
  B: fc.integer({ min: 1, max: 2 }),
  NH: fc.integer({ min: 1, max: 2 }),
  S: fc.integer({ min: 1, max: 70 }),
  DHQK: fc.integer({ min: 1, max: 6 }),
  DHHV: fc.integer({ min: 1, max: 6 }),
});

// An eps that is large enough to matter, so that what comes through the stabiliser is seen.
const cellOptions: fc.Arbitrary<MlstmOptions> = fc.constantFrom<MlstmOptions[]>(
  { gate: 'exp' },
  { gate: 'exp', eps: 0 },
  { gate: 'exp', eps: 0.3 },
  { gate: 'sigmoid', eps: 0.3 },
  { gate: 'sigmoid', normalize: false },
);

/** Float64 under the type that cells have on the host. */
const wide = (data: ArrayLike<number>): Float32Array => Float64Array.from(data) as unknown as Float32Array;

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < a.length; index++) sum += a[index]! * b[index]!;
  return sum;
}

type Full = Required<HostCell>;

/** What the gradients are of: a product of h and the last state with given weights, by the step recurrence. */
function loss(shape: MlstmShape, cell: Full, dh: Float32Array, dlast: Float32Array, options: MlstmOptions): number {
  const { h, c, n, m } = oracle(shape, cell, options);
  const ofM = options.gate === 'sigmoid' ? 0 : dot(m, dlast.subarray(c.length + n.length));
  return dot(h, dh) + dot(c, dlast) + dot(n, dlast.subarray(c.length)) + ofM;
}

const STEP = 1e-6;

function differences(
  cell: Full,
  part: 'q' | 'k' | 'v' | 'i' | 'f' | 'state',
  direction: Float32Array,
  of: (cell: Full) => number,
): number {
  const moved = (by: number): Full => ({
    ...cell,
    [part]: wide(cell[part].map((value, index) => value + by * direction[index]!)),
  });
  return (of(moved(STEP)) - of(moved(-STEP))) / (2 * STEP);
}

it('gradients are what differences of the forward pass say, in float64 along random directions', async () => {
  const device = new Float64Device();
  const forms = fc.constantFrom(...Object.keys(BACKWARD_FORMS));
  const content = fc.record({ seed: fc.nat(), gates: fc.constantFrom(0.3, 2, 8) });
  await fc.assert(
    fc.asyncProperty(shapes, content, cellOptions, forms, async (shape, { seed, gates }, options, name) => {
      const random = new Random(seed);
      const sigmoid = options.gate === 'sigmoid';
      const made = randomCell(random, shape, { gates, extremes: false, initial: true, sigmoid }) as Full;
      const cell = Object.fromEntries(
        Object.entries(made).map(([part, data]) => [part, wide(data)]),
      ) as unknown as Full;
      // Steps whose terms nearly cancel magnify differences beyond measure; they count less.
      const weigh = oracle(shape, cell, options).condition;
      const dh = wide(random.normals(weigh.length).map((x, index) => x * weigh[index]! ** 2));
      const dlast = wide(random.normals(mlstmStateLength(shape)));
      const { gradients } = await runBackward(device, BACKWARD_FORMS[name]!, shape, cell, { dh, dlast }, options);
      for (const part of GRADIENTS) {
        const gradient = gradients[part];
        const direction = wide(random.normals(gradient.length));
        // The sigmoid gate's state has no m to move.
        const heads = shape.B * shape.NH;
        if (part === 'initial' && sigmoid) direction.fill(0, gradient.length - heads);
        const source = part === 'initial' ? 'state' : part;
        const measured = differences(cell, source, direction, (at) => loss(shape, at, dh, dlast, options));
        const scale = Math.sqrt(dot(gradient, gradient)) + 1;
        expect(Math.abs(dot(gradient, direction) - measured) / scale, `d${part}`).toBeLessThan(1e-5);
      }
    }),
    // A fixed seed: a difference across one of the function's kinks would say nothing.
    { numRuns: 150, seed: 7 },
  );
});
