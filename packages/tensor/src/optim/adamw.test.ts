import { createCpuDevice, type Device, DisposedError, NumericsError, OptionError, StateError } from '@xlstm/device';
import { Random } from '@xlstm-tooling/kernel-harness';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import { afterEach, describe, expect, it } from 'vitest';
import type { TrainableParameter } from '../parameter.ts';
import { elementCount, Tensor } from '../tensor.ts';
import { AdamW } from './adamw.ts';
import type { AdamWOptions } from './adamw-options.ts';
import { firstNonFinite } from './gradient-norm.ts';

/** Linear warm-up over 10 steps to 1e-3, cosine to 1e-4 at step 30. */
function schedule(step: number): number {
  if (step <= 10) return (1e-3 * step) / 10;
  return 1e-4 + (9e-4 * (1 + Math.cos((Math.PI * (step - 10)) / 20))) / 2;
}

/** The rule of the golden training run (torch.optim.AdamW after clip_grad_norm_), in float64. */
class Rule {
  readonly values: Float64Array[];
  readonly m: Float64Array[];
  readonly v: Float64Array[];
  t = 0;

  constructor(values: readonly Float32Array[]) {
    this.values = values.map((value) => Float64Array.from(value));
    this.m = values.map((value) => new Float64Array(value.length));
    this.v = values.map((value) => new Float64Array(value.length));
  }

  step(gradients: readonly Float32Array[], decays: readonly boolean[], lr: number, maxNorm = 0.5): number {
    const [beta1, beta2, eps, decay] = [0.9, 0.95, 1e-8, 0.1];
    this.t++;
    const norm = Math.hypot(...gradients.flatMap((gradient) => [...gradient]));
    const clip = Math.min(1, maxNorm / (norm + 1e-6));
    for (const [index, gradient] of gradients.entries()) {
      const [p, m, v] = [this.values[index]!, this.m[index]!, this.v[index]!];
      for (const [at, raw] of gradient.entries()) {
        const g = raw * clip;
        if (decays[index]) p[at]! *= 1 - lr * decay;
        m[at] = beta1 * m[at]! + (1 - beta1) * g;
        v[at] = beta2 * v[at]! + (1 - beta2) * g * g;
        const denominator = Math.sqrt(v[at]!) / Math.sqrt(1 - beta2 ** this.t) + eps;
        p[at]! -= ((lr / (1 - beta1 ** this.t)) * m[at]!) / denominator;
      }
    }
    return norm;
  }
}

const GOLDEN: AdamWOptions = { lr: 1e-3, betas: [0.9, 0.95], eps: 1e-8, weightDecay: 0.1, maxGradNorm: 0.5 };

describe('firstNonFinite', () => {
  it('names the first', () => {
    expect(firstNonFinite([1, 2], ['a', 'b'])).toBeUndefined();
    expect(firstNonFinite([1, Number.POSITIVE_INFINITY, Number.NaN], ['a', 'b', 'c'])).toBe('b');
    expect(firstNonFinite(Float32Array.of(Number.NaN), ['a'])).toBe('a');
  });
});

await describeDevices('AdamW', (device: Device) => {
  const made: Disposable[] = [];
  afterEach(() => {
    for (const item of made.splice(0)) item[Symbol.dispose]();
    expect(device.liveBuffers().byOwner.optimizer ?? { count: 0 }).toMatchObject({ count: 0 });
  });
  const shapes = [[3, 7], [5], [40, 500]] as const;
  const decays = [true, false, true];
  const data = (random: Random, scale = 1) => shapes.map((shape) => random.normals(elementCount(shape), scale));

  function tensor(shape: readonly number[], values: Float32Array): Tensor {
    const buffer = device.from('fp32', values);
    made.push(buffer);
    return new Tensor(buffer, shape);
  }

  function parametersOf(values: readonly Float32Array[]): TrainableParameter[] {
    return shapes.map((shape, index) => ({
      name: `layer.${index}`,
      value: tensor(shape, values[index]!),
      gradient: tensor(shape, new Float32Array(values[index]!.length)),
      decay: decays[index]!,
    }));
  }

  function optimizerOf(parameters: readonly TrainableParameter[], options = GOLDEN): AdamW {
    const optimizer = new AdamW(device, parameters, options);
    made.push(optimizer);
    return optimizer;
  }

  const setGradients = (parameters: readonly TrainableParameter[], gradients: readonly Float32Array[]) => {
    for (const [index, { gradient }] of parameters.entries()) device.upload(gradient.buffer, gradients[index]!);
  };
  const valuesOf = (parameters: readonly TrainableParameter[]) =>
    Promise.all(parameters.map(({ value }) => device.read(value.buffer)));

  it('follows the rule of the golden run for 30 steps, eager and recorded alike, to the bit', async () => {
    const random = new Random(3);
    const start = data(random);
    const rule = new Rule(start);
    const eager = parametersOf(start);
    const replayed = parametersOf(start);
    const optimizer = optimizerOf(eager);
    const recorded = optimizerOf(replayed);
    const program = device.record(() => recorded.queueStep());
    made.push(program);
    for (let step = 1; step <= 30; step++) {
      // Now within, now beyond what is clipped.
      const gradients = data(random, step % 3 === 0 ? 1e-3 : 0.1);
      const lr = schedule(step);
      const norm = rule.step(gradients, decays, lr);
      setGradients(eager, gradients);
      optimizer.step({ lr });
      setGradients(replayed, gradients);
      recorded.advance({ lr });
      program.run();
      expect(Math.abs((await optimizer.gradientNorm()) / norm - 1)).toBeLessThan(1e-6);
    }
    expect(optimizer.stepCount).toBe(30);
    const values = await valuesOf(eager);
    for (const [index, expected] of rule.values.entries()) {
      const worst = Math.max(...expected.map((value, at) => Math.abs(values[index]![at]! - value)));
      // 30 updates of values up to 4, each rounded to float32; NaN fails.
      expect(worst).toBeLessThan(3e-6);
    }
    expect(await valuesOf(replayed)).toEqual(values);
  });

  it('scales accumulated gradients before it clips', async () => {
    const random = new Random(4);
    const start = data(random);
    const gradients = data(random, 0.01);
    const [once, twice] = [parametersOf(start), parametersOf(start)];
    const [a, b] = [optimizerOf(once), optimizerOf(twice)];
    setGradients(once, gradients);
    setGradients(
      twice,
      gradients.map((gradient) => gradient.map((value) => 2 * value)),
    );
    a.step();
    b.step({ gradientScale: 0.5 });
    expect(await b.gradientNorm()).toBe(await a.gradientNorm());
    expect(await valuesOf(twice)).toEqual(await valuesOf(once));
  });

  it('sets gradients to zero', async () => {
    const parameters = parametersOf(data(new Random(5)));
    setGradients(parameters, data(new Random(6)));
    optimizerOf(parameters).zeroGradients();
    for (const { gradient } of parameters) {
      expect((await device.read(gradient.buffer)).every((value) => value === 0)).toBe(true);
    }
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('a gradient with %d changes nothing, and is named', async (bad) => {
    const start = data(new Random(7));
    const parameters = parametersOf(start);
    const optimizer = optimizerOf(parameters, { lr: 1e-3 });
    const gradients = data(new Random(8));
    setGradients(parameters, gradients);
    optimizer.step();
    const before = [await valuesOf(parameters), await optimizer.readState()] as const;
    gradients[1]![2] = bad;
    gradients[2]![19_999] = bad;
    setGradients(parameters, gradients);
    optimizer.step();
    await expect(optimizer.gradientNorm()).rejects.toThrow(NumericsError);
    await expect(optimizer.gradientNorm()).rejects.toThrow(/the gradient of "layer.1" is not finite/);
    expect(await valuesOf(parameters)).toEqual(before[0]);
    expect({ ...(await optimizer.readState()), step: 1 }).toEqual(before[1]);
  });

  it('goes on from a saved state as if nothing had happened', async () => {
    const random = new Random(9);
    const parameters = parametersOf(data(random));
    const optimizer = optimizerOf(parameters);
    setGradients(parameters, data(random));
    optimizer.step();
    const [values, state] = [await valuesOf(parameters), await optimizer.readState()];
    expect([...state.firstMoments.keys()]).toEqual(['layer.0', 'layer.1', 'layer.2']);
    const next = data(random);
    const later = parametersOf(values as Float32Array[]);
    const resumed = optimizerOf(later);
    resumed.writeState(state);
    for (const [list, one] of [
      [parameters, optimizer],
      [later, resumed],
    ] as const) {
      setGradients(list, next);
      one.step();
    }
    expect(resumed.stepCount).toBe(2);
    expect(await valuesOf(later)).toEqual(await valuesOf(parameters));
  });

  it('refuses a state of another model, and keeps its own', async () => {
    const parameters = parametersOf(data(new Random(10)));
    const optimizer = optimizerOf(parameters);
    setGradients(parameters, data(new Random(11)));
    optimizer.step();
    const state = await optimizer.readState();
    const without = new Map([...state.secondMoments].slice(1));
    const longer = new Map(state.secondMoments).set('layer.1', new Float32Array(6));
    const more = new Map(state.secondMoments).set('layer.3', new Float32Array(6));
    const refuse = (changed: object, text: RegExp) => {
      expect(() => optimizer.writeState({ ...state, ...changed })).toThrow(StateError);
      expect(() => optimizer.writeState({ ...state, ...changed })).toThrow(text);
    };
    refuse({ secondMoments: without }, /secondMoments of "layer.0" must be a Float32Array of 21, got none/);
    refuse({ secondMoments: longer }, /secondMoments of "layer.1" .* of 5, got a Float32Array of 6/);
    refuse({ firstMoments: more }, /firstMoments has "layer.3", which is no parameter/);
    refuse({ step: -1 }, /step must be a non-negative integer, got -1/);
    expect(await optimizer.readState()).toEqual(state);
  });

  it.each([
    [{ lr: Number.NaN }, /lr must be a finite number from 0, got NaN/],
    [{ lr: -1e-3 }, /lr must be a finite number from 0, got -0.001/],
    [{ lr: Number.POSITIVE_INFINITY }, /lr must be/],
    [{ gradientScale: 0 }, /gradientScale must be a positive finite number, got 0/],
  ])('refuses a step with %o before anything changes', async (options, text) => {
    const start = data(new Random(12));
    const parameters = parametersOf(start);
    const optimizer = optimizerOf(parameters);
    setGradients(parameters, data(new Random(13)));
    expect(() => optimizer.step(options)).toThrow(OptionError);
    expect(() => optimizer.advance(options)).toThrow(text);
    expect(optimizer.stepCount).toBe(0);
    expect(await valuesOf(parameters)).toEqual(start);
  });

  it.each([
    [{ lr: Number.NaN }, /lr must be a finite number from 0, got NaN/],
    [{ lr: 1, betas: [0.9, 1] as const }, /betas must be two numbers in \[0, 1\), got \[0.9,1\]/],
    [{ lr: 1, eps: 0 }, /eps must be a positive finite number, got 0/],
    [{ lr: 1, weightDecay: -1 }, /weightDecay must be a finite number from 0, got -1/],
    [{ lr: 1, maxGradNorm: 0 }, /maxGradNorm must be a positive finite number; .*, got 0/],
    [{ lr: 1, momentum: 0.9 } as AdamWOptions, /no option is called momentum; it takes lr, betas/],
    [undefined as unknown as AdamWOptions, /options must be an object with lr, got undefined/],
  ])('refuses the options %o', (options, text) => {
    const parameters = parametersOf(data(new Random(14)));
    expect(() => new AdamW(device, parameters, options)).toThrow(OptionError);
    expect(() => new AdamW(device, parameters, options)).toThrow(text);
  });

  it('refuses parameters that it cannot change', () => {
    const value = tensor([2, 3], new Float32Array(6));
    const gradient = tensor([2, 3], new Float32Array(6));
    const good = { name: 'a', value, gradient, decay: true };
    const refuse = (parameters: TrainableParameter[], text: RegExp) =>
      expect(() => new AdamW(device, parameters, GOLDEN)).toThrow(text);
    refuse([], /at least one parameter/);
    refuse([good, { ...good }], /"a" is listed twice/);
    refuse([good, { ...good, name: 'b' }], /"b" has the buffer of "a"/);
    refuse([{ ...good, gradient: value }], /the gradient of "a" has the buffer of "a"/);
    refuse([{ ...good, gradient: gradient.reshape([3, 2]) }], /the gradient of "a" must be \[2,3\], got \[3,2\]/);
    refuse([{ ...good, value: value.columns(1, 2) }], /"a" must be contiguous/);
    refuse([{ ...good, value: new Tensor(value.buffer, [0]) }], /"a" has no elements/);
    const half = device.alloc('bf16', 6);
    made.push(half);
    refuse([{ ...good, value: new Tensor(half, [2, 3]) }], /"a" must be fp32, got bf16/);
    using elsewhere = createCpuDevice();
    using other = elsewhere.alloc('fp32', 6);
    refuse([{ ...good, value: new Tensor(other, [2, 3]) }], /"a" is on CPU, the optimiser on/);
  });

  it('is of no use when disposed', async () => {
    const optimizer = optimizerOf(parametersOf(data(new Random(15))));
    optimizer.dispose();
    expect(() => optimizer.step()).toThrow(DisposedError);
    expect(() => optimizer.zeroGradients()).toThrow(DisposedError);
    await expect(optimizer.gradientNorm()).rejects.toThrow(DisposedError);
  });
});
