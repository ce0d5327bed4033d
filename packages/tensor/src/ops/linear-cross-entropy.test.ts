import { Arena, type Device, DtypeError, type FloatDtype, OptionError, ShapeError } from '@xlstm/device';
import { encodeFromFloat32 } from '@xlstm/device/dtypes';
import { Random } from '@xlstm-tooling/kernel-harness';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import { afterEach, describe, expect, it } from 'vitest';
import { Scope } from '../scope.ts';
import { Tensor } from '../tensor.ts';
import { type CrossEntropyInputs, checkTargets, linearCrossEntropy, rowsPerTile } from './linear-cross-entropy.ts';

interface Problem {
  hidden: Float64Array;
  weight: Float64Array;
  targets: Int32Array;
  V: number;
  D: number;
  softCap: number;
  ignoreIndex: number;
}

/** The mean loss in float64, written down once more. */
function meanLoss({ hidden, weight, targets, V, D, softCap, ignoreIndex }: Problem): number {
  let sum = 0;
  let count = 0;
  for (const [t, target] of targets.entries()) {
    if (target === ignoreIndex) continue;
    const logits = Array.from({ length: V }, (_, v) => {
      let z = 0;
      for (let d = 0; d < D; d++) z += hidden[t * D + d]! * weight[v * D + d]!;
      return softCap > 0 ? softCap * Math.tanh(z / softCap) : z;
    });
    const most = Math.max(...logits);
    sum += most + Math.log(logits.reduce((total, z) => total + Math.exp(z - most), 0)) - logits[target]!;
    count++;
  }
  return count === 0 ? 0 : sum / count;
}

/** Central differences of the mean loss by every element of `values`, which is part of the problem. */
function differences(problem: Problem, values: Float64Array): Float64Array {
  const step = 1e-4;
  return Float64Array.from(values, (value, at) => {
    values[at] = value + step;
    const above = meanLoss(problem);
    values[at] = value - step;
    const below = meanLoss(problem);
    values[at] = value;
    return (above - below) / (2 * step);
  });
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, bound: number): void {
  expect(actual.length).toBe(expected.length);
  // NaN fails.
  for (let at = 0; at < expected.length; at++) expect(Math.abs(actual[at]! - expected[at]!)).toBeLessThan(bound);
}

const eighths = (random: Random, length: number) => Float32Array.from({ length }, () => random.integer(17) / 8 - 1);

describe('rowsPerTile', () => {
  it.each([
    [32768, 512, 256 * 2 ** 20, 32768],
    [32768, 50304, 256 * 2 ** 20, 1311],
    [200, 50304, 1, 50],
    [65, 10, 1, 33],
    [64, 10, 1, 64],
    [0, 10, 1, 0],
  ])('makes tiles of %i rows of %i logits in %i bytes %i rows high', (T, V, bytes, rows) => {
    expect(rowsPerTile(T, V, bytes)).toBe(rows);
  });
});

describe('checkTargets', () => {
  it('names the first id that is wrong, and its place', () => {
    checkTargets([0, 4, -100], 5);
    checkTargets(Int32Array.of(0, -1), 5, -1);
    expect(() => checkTargets([0, 5], 5)).toThrow(OptionError);
    expect(() => checkTargets([0, 5], 5)).toThrow(/target 1 must be in 0…4 or -100 to be ignored, got 5/);
    expect(() => checkTargets([-1], 5)).toThrow(/target 0 .*got -1/);
    expect(() => checkTargets([1.5], 5)).toThrow(/got 1.5/);
    expect(() => checkTargets([Number.NaN], 5)).toThrow(/got NaN/);
  });
});

await describeDevices('linearCrossEntropy', (device: Device) => {
  const arena = new Arena(device);
  const scope = new Scope(arena);
  afterEach(() => scope.dispose());
  const random = new Random(31);

  function tensor(shape: number[], data: Float32Array | Int32Array, dtype: FloatDtype = 'fp32'): Tensor {
    const integers = data instanceof Int32Array;
    const made = scope.tensor(shape, integers ? 'i32' : dtype);
    device.upload(made.buffer, integers ? data : encodeFromFloat32(data, dtype));
    return made;
  }

  function problem(T: number, V: number, D: number, softCap: number): Problem {
    const id = (t: number) => (t % 5 === 3 ? -1 : random.integer(V));
    return {
      hidden: Float64Array.from(eighths(random, T * D)),
      weight: Float64Array.from(eighths(random, V * D)),
      targets: Int32Array.from({ length: T }, (_, t) => id(t)),
      V,
      D,
      softCap,
      ignoreIndex: -1,
    };
  }

  function inputsOf({ hidden, weight, targets, V, D }: Problem, dtype: FloatDtype = 'fp32', scale?: number) {
    return {
      hidden: tensor([targets.length, D], Float32Array.from(hidden)),
      weight: tensor([V, D], Float32Array.from(weight), dtype),
      targets: tensor([targets.length], targets),
      ...(scale === undefined ? {} : { scale: tensor([1], Float32Array.of(scale)) }),
    } satisfies CrossEntropyInputs;
  }

  it.each([
    { T: 5, V: 7, D: 4, softCap: 0, dtype: 'fp32', logitsBytes: 1e6 },
    { T: 9, V: 3, D: 8, softCap: 2, dtype: 'bf16', logitsBytes: 1e6 },
    // Two tiles: 35 and 34 rows.
    { T: 69, V: 4, D: 4, softCap: 30, dtype: 'fp32', logitsBytes: 1 },
  ] as const)('of $T tokens, [$V, $D] $dtype, cap $softCap is the reference and its differences', async (shape) => {
    const given = problem(shape.T, shape.V, shape.D, shape.softCap);
    const scale = 1.5;
    const inputs = inputsOf(given, shape.dtype, scale);
    const start = random.normals(shape.V * shape.D);
    const dhidden = scope.tensor([shape.T, shape.D]);
    const dweight = tensor([shape.V, shape.D], start);
    const options = { ignoreIndex: -1, logitsBytes: shape.logitsBytes, softCap: shape.softCap || undefined };
    const result = linearCrossEntropy(scope, inputs, options, {
      dhidden: { tensor: dhidden, accumulate: false },
      dweight: { tensor: dweight, accumulate: true },
    });
    const expected = meanLoss(given);
    expectClose(await device.read(result.loss.buffer), [expected], 2e-6);
    const counted = given.targets.filter((id) => id !== -1).length;
    expect([...(await device.read(result.count.buffer))]).toEqual([counted]);
    const perToken = Array.from(await device.read(result.tokenLosses.buffer));
    expect(result.tokenLosses.shape).toEqual([shape.T]);
    expectClose([perToken.reduce((sum, loss) => sum + loss, 0) / counted], [expected], 5e-6);
    expect(given.targets.every((id, t) => id !== -1 || perToken[t] === 0)).toBe(true);
    const scaled = (gradient: Float64Array) => gradient.map((value) => value * scale);
    expectClose(await device.read(dhidden.buffer), scaled(differences(given, given.hidden)), 1e-6);
    const added = scaled(differences(given, given.weight)).map((value, at) => value + start[at]!);
    expectClose(await device.read(dweight.buffer), added, 2e-6);
    // Evaluation alone gives the same bits.
    const evaluated = linearCrossEntropy(scope, inputs, options);
    expect(await device.read(evaluated.loss.buffer)).toEqual(await device.read(result.loss.buffer));
  });

  it('replays with other targets, and gives the same bits again', async () => {
    const given = problem(70, 5, 4, 0);
    const inputs = inputsOf(given);
    const gradients = {
      dhidden: { tensor: scope.tensor([70, 4]), accumulate: false },
      dweight: { tensor: scope.tensor([5, 4]), accumulate: false },
    };
    let loss: Tensor | undefined;
    using program = device.record(() => {
      const made = linearCrossEntropy(scope, inputs, { ignoreIndex: -1, logitsBytes: 1 }, gradients);
      loss = made.loss;
    });
    const run = async (targets: Int32Array) => {
      device.upload(inputs.targets.buffer, targets);
      program.run();
      const buffers = [loss!, gradients.dhidden.tensor, gradients.dweight.tensor];
      return Promise.all(buffers.map(({ buffer }) => device.read(buffer)));
    };
    const first = await run(given.targets);
    expectClose(first[0]!, [meanLoss(given)], 2e-6);
    const fewer = given.targets.map((id, t) => (t < 40 ? -1 : id));
    expectClose((await run(fewer))[0]!, [meanLoss({ ...given, targets: fewer })], 2e-6);
    const ignored = await run(new Int32Array(70).fill(-1));
    for (const values of ignored) expect(values.every((value) => value === 0)).toBe(true);
    expect(await run(given.targets)).toEqual(first);
  });

  it('is NaN when a target is outside the vocabulary', async () => {
    const given = problem(4, 3, 4, 0);
    given.targets.set([0, 3, 1, 2]);
    const { loss, tokenLosses } = linearCrossEntropy(scope, inputsOf(given));
    expect((await device.read(loss.buffer))[0]).toBeNaN();
    expect([...(await device.read(tokenLosses.buffer))].map(Number.isNaN)).toEqual([false, true, false, false]);
  });

  it('of no tokens is 0', async () => {
    const dweight = tensor([3, 2], random.normals(6));
    const inputs = {
      hidden: scope.tensor([0, 2]),
      weight: tensor([3, 2], random.normals(6)),
      targets: scope.tensor([0], 'i32'),
    };
    const { loss, count } = linearCrossEntropy(scope, inputs, {}, { dweight: { tensor: dweight, accumulate: false } });
    expect([...(await device.read(loss.buffer)), ...(await device.read(count.buffer))]).toEqual([0, 0]);
    expect([...(await device.read(dweight.buffer))]).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it('refuses what does not fit', () => {
    const inputs = inputsOf(problem(4, 3, 2, 0));
    const { hidden, weight } = inputs;
    const call = (changed: Partial<CrossEntropyInputs>, options = {}, gradients = {}) => {
      return () => linearCrossEntropy(scope, { ...inputs, ...changed }, options, gradients);
    };
    expect(call({ weight: scope.tensor([3, 4]) })).toThrow(/weight must be \[V, 2\].*got \[3,4\]/);
    expect(call({ weight: scope.tensor([0, 2]) })).toThrow(ShapeError);
    expect(call({ targets: scope.tensor([5], 'i32') })).toThrow(/targets must be \[4\], got \[5\]/);
    expect(call({ targets: scope.tensor([4]) })).toThrow(/targets must be i32, got fp32/);
    expect(call({ hidden: scope.tensor([4, 2], 'bf16') })).toThrow(DtypeError);
    expect(call({ hidden: scope.tensor([4, 3]).columns(0, 2) })).toThrow(/hidden must be contiguous/);
    expect(call({ scale: scope.tensor([2]) })).toThrow(/scale must be \[1\], got \[2\]/);
    expect(call({}, { ignoreIndex: 0.5 })).toThrow(/ignoreIndex must be a 32-bit integer, got 0.5/);
    expect(call({}, { softCap: 0 })).toThrow(/softCap must be a positive finite number, got 0/);
    expect(call({}, { logitsBytes: Number.NaN })).toThrow(/logitsBytes must be positive, got NaN/);
    const dweight = { tensor: scope.tensor([2, 3]), accumulate: false };
    expect(call({}, {}, { dweight })).toThrow(/dweight must be \[3,2\], got \[2,3\]/);
    expect(call({}, {}, { dhidden: { tensor: hidden, accumulate: true } })).toThrow(
      /dhidden must have a buffer of its own/,
    );
    const tied = { tensor: new Tensor(weight.buffer, [3, 2]), accumulate: true };
    expect(call({}, {}, { dweight: tied })).toThrow(/got that of weight/);
  });
});
