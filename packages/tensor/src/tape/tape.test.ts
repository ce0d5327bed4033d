import { Arena, createCpuDevice, type Device, DisposedError, GradientError, ShapeError } from '@xlstm/device';
import { Random } from '@xlstm-tooling/kernel-harness';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import { describe, expect, it } from 'vitest';
import { swiglu } from '../kernels/gated-activation/index.ts';
import { addInPlace, residual } from '../kernels/residual/index.ts';
import { rmsNorm } from '../kernels/rms-norm/index.ts';
import { linear } from '../ops/linear.ts';
import { linearCrossEntropy } from '../ops/linear-cross-entropy.ts';
import type { TrainableParameter } from '../parameter.ts';
import { Parameters } from '../parameters.ts';
import { Scope } from '../scope.ts';
import { Tensor } from '../tensor.ts';
import { Tape } from './tape.ts';

const ROWS = 5;
const D = 6;

function fixture(device: Device) {
  const random = new Random(3);
  const parameters = new Parameters(device, [
    { name: 'norm', shape: [D], decay: false },
    { name: 'up', shape: [2 * D, D], decay: true },
    { name: 'down', shape: [D, D], decay: true },
    { name: 'bias', shape: [D], decay: false },
  ]);
  for (const { name, value } of parameters.list()) {
    parameters.write(name, random.tensor(value.buffer.length, 'fp32', 0.5).data as Float32Array);
  }
  const x = new Tensor(device.from('fp32', random.tensor(ROWS * D).data), [ROWS, D]);
  const dy = new Tensor(device.from('fp32', random.tensor(ROWS * D).data), [ROWS, D]);
  return { parameters, x, dy, arena: new Arena(device) };
}

/** x + down(norm(x) · upper half of up), then once more with the lower half: fan-out, views, a residual stream. */
function block(scope: Scope, start: Tensor, parameters: Parameters): Tensor {
  let x = residual(scope, start, start);
  for (const half of [0, D]) {
    const normed = rmsNorm(scope, x, parameters.get('norm'));
    const wide = linear(scope, normed, parameters.get('up'));
    const part = residual(scope, linear(scope, normed, parameters.get('down')), copyColumns(scope, wide, half));
    scope.release(normed, wide);
    x = linear(scope, part, parameters.get('down'), { bias: parameters.get('bias'), addTo: x });
    scope.release(part);
  }
  return x;
}

/** Columns of a wider tensor as a product with a selection, so that the test needs no operation of its own. */
function copyColumns(scope: Scope, wide: Tensor, start: number): Tensor {
  const select = scope.tensor([D, 2 * D], 'fp32', 'selection');
  const data = new Float32Array(2 * D * D);
  for (let d = 0; d < D; d++) data[d * 2 * D + start + d] = 1;
  scope.device.upload(select.buffer, data);
  return linear(scope, wide, select);
}

async function floats(device: Device, tensor: Tensor): Promise<Float32Array> {
  return (await device.read(tensor.buffer)) as Float32Array;
}

/** Σ y·dy of the block, by a plain scope. */
async function loss(device: Device, arena: Arena, x: Tensor, dy: Tensor, parameters: Parameters): Promise<number> {
  const scope = new Scope(arena);
  const y = await floats(device, block(scope, x, parameters));
  scope.dispose();
  const weights = await floats(device, dy);
  return y.reduce((sum, value, at) => sum + value * weights[at]!, 0);
}

/** Central differences by a sample of elements, the other elements of `gradient` as they are. */
async function differences(
  device: Device,
  value: Tensor,
  gradient: Float32Array,
  evaluate: () => Promise<number>,
): Promise<number[]> {
  const original = await floats(device, value);
  const quotients = [...gradient];
  for (let at = 0; at < original.length; at += 5) {
    const step = 2e-2;
    const shifted = async (by: number) => {
      const changed = original.slice();
      changed[at]! += by;
      device.upload(value.buffer, changed);
      return evaluate();
    };
    quotients[at] = ((await shifted(step)) - (await shifted(-step))) / (2 * step);
  }
  device.upload(value.buffer, original);
  return quotients;
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, share: number): void {
  const scale = Math.max(...Array.from(expected, Math.abs));
  for (let at = 0; at < expected.length; at++) {
    expect(Math.abs(actual[at]! - expected[at]!), `element ${at}`).toBeLessThanOrEqual(share * scale);
  }
}

async function gradients(device: Device, parameters: readonly TrainableParameter[]): Promise<Float32Array[]> {
  return Promise.all(parameters.map(({ gradient }) => floats(device, gradient)));
}

await describeDevices('Tape', (device) => {
  it('makes the gradients of parameters and of a watched input', async () => {
    const { parameters, x, dy, arena } = fixture(device);
    const tape = new Tape(arena, { parameters: parameters.list() });
    tape.watch(x);
    block(tape, x, parameters).backward(dy);
    const evaluate = () => loss(device, arena, x, dy, parameters);
    for (const { value, gradient } of [{ value: x, gradient: tape.gradient(x) }, ...parameters.list()]) {
      const actual = await floats(device, gradient);
      expectClose(actual, await differences(device, value, actual, evaluate), 2e-3);
    }
    tape.dispose();
    parameters.dispose();
    arena.dispose();
  });

  it('makes the same gradients when it computes the block a second time', async () => {
    const { parameters, x, dy, arena } = fixture(device);
    const kept = new Tape(arena, { parameters: parameters.list() });
    block(kept, x, parameters).backward(dy);
    const expected = await gradients(device, parameters.list());
    kept.dispose();
    parameters.zeroGradients();
    const tape = new Tape(arena, { parameters: parameters.list() });
    tape.watch(x);
    tape.recompute('block', [x], (scope, input) => block(scope, input, parameters)).backward(dy);
    expect(await gradients(device, parameters.list())).toEqual(expected);
    const dx = await floats(device, tape.gradient(x));
    expectClose(dx, await differences(device, x, dx, () => loss(device, arena, x, dy, parameters)), 2e-3);
    tape.dispose();
    parameters.dispose();
    arena.dispose();
  });

  it('computes a second time with views of one tensor, and the tensor, as inputs', async () => {
    const { parameters, x, dy, arena } = fixture(device);
    const run = async (recompute: boolean) => {
      parameters.zeroGradients();
      const tape = new Tape(arena, { parameters: parameters.list() });
      const wide = linear(tape, x, parameters.get('up'));
      const inputs = [wide.columns(1, D), wide.columns(D, D), wide, wide] as const;
      const compute = (scope: Scope, a: Tensor, b: Tensor, c: Tensor, d: Tensor) =>
        linear(scope, swiglu(scope, a, b), parameters.get('down'), {
          addTo: swiglu(scope, c.columns(0, D), d.columns(1, D)),
        });
      const y = recompute
        ? tape.recompute('part', inputs, compute as (scope: Scope, ...given: Tensor[]) => Tensor)
        : compute(tape, ...inputs);
      y.backward(dy);
      tape.dispose();
      return gradients(device, parameters.list());
    };
    const kept = await run(false);
    for (const [at, gradient] of (await run(true)).entries()) {
      if (kept[at]!.some((value) => value !== 0)) expectClose(gradient, kept[at]!, 1e-5);
    }
    expect(Math.max(...kept[1]!.map(Math.abs))).toBeGreaterThan(0);
    parameters.dispose();
    arena.dispose();
  });

  it('adds to the gradients of parameters until they are set to zero', async () => {
    const { parameters, x, dy, arena } = fixture(device);
    const step = () => {
      const tape = new Tape(arena, { parameters: parameters.list() });
      const scope = new Scope(arena);
      const normed = rmsNorm(tape, x, parameters.get('norm'));
      linear(tape, normed, parameters.get('down')).backward(dy);
      scope.dispose();
      tape.dispose();
    };
    step();
    const once = await gradients(device, parameters.list());
    step();
    const twice = await gradients(device, parameters.list());
    for (const [at, gradient] of twice.entries())
      expectClose(
        gradient,
        once[at]!.map((value) => 2 * value),
        1e-6,
      );
    expect(Math.max(...once[2]!.map(Math.abs))).toBeGreaterThan(0);
    parameters.zeroGradients();
    step();
    expect(await gradients(device, parameters.list())).toEqual(once);
    parameters.dispose();
    arena.dispose();
  });

  it('can be recorded and replayed; a step allocates nothing after the first', async () => {
    const { parameters, x, dy, arena } = fixture(device);
    const [up, down] = [parameters.get('up'), parameters.get('down')];
    const step = () => {
      const tape = new Tape(arena, { parameters: parameters.list() });
      const wide = linear(tape, rmsNorm(tape, x, parameters.get('norm')), up);
      const narrow = linear(tape, x, down);
      residual(tape, narrow, linear(tape, narrow, down)).backward(dy);
      expect(tape.isDifferentiated(wide)).toBe(true);
      tape.dispose();
    };
    step();
    const expected = await gradients(device, parameters.list());
    const live = device.liveBuffers();
    const program = device.record(step, 'step');
    for (let replay = 0; replay < 3; replay++) {
      parameters.zeroGradients();
      program.run();
      expect(await gradients(device, parameters.list())).toEqual(expected);
    }
    expect(device.liveBuffers()).toEqual(live);
    program.dispose();
    parameters.dispose();
    arena.dispose();
  });
});

describe('Tape', () => {
  const setUp = () => {
    const device = createCpuDevice();
    return { device, ...fixture(device) };
  };

  it('goes backward once', () => {
    const { parameters, x, dy, arena } = setUp();
    const tape = new Tape(arena, { parameters: parameters.list() });
    const y = linear(tape, x, parameters.get('down'));
    y.backward(dy);
    expect(() => y.backward(dy)).toThrow(GradientError);
    expect(() => y.backward(dy)).toThrow(/backward\(\) was called on this tape before.*make a new Tape/);
    expect(() => linear(tape, x, parameters.get('down'))).toThrow(GradientError);
  });

  it('refuses a tensor that is on no tape, one that nothing watched led to, and an input', () => {
    const { parameters, x, arena } = setUp();
    const plain = new Scope(arena);
    expect(() => linear(plain, x, parameters.get('down')).backward()).toThrow(
      /was not computed on a tape; pass a Tape/,
    );
    const tape = new Tape(arena);
    expect(() => linear(tape, x, parameters.get('down')).backward()).toThrow(/does not depend on a parameter/);
    const watching = new Tape(arena);
    expect(() => watching.backward(watching.watch(x))).toThrow(/is an input of the computation/);
  });

  it('asks for a gradient to start from unless the tensor is a scalar, and of the right shape', () => {
    const { parameters, x, arena, device } = setUp();
    const tape = new Tape(arena, { parameters: parameters.list() });
    const y = linear(tape, x, parameters.get('down'));
    expect(() => y.backward()).toThrow(ShapeError);
    expect(() => y.backward(new Tensor(device.alloc('fp32', 3), [3]))).toThrow(/gradient must be \[5,6\]/);
    expect(() => y.columns(0, 2).backward()).toThrow(/view/);
  });

  it('refuses operations that have no gradient, for what is differentiated only', () => {
    const { parameters, x, arena } = setUp();
    const tape = new Tape(arena, { parameters: parameters.list() });
    const y = linear(tape, x, parameters.get('down'));
    expect(() => addInPlace(tape, y, x)).toThrow(/addInPlace: has no gradient.*new Scope\(tape.arena\)/);
    expect(() => addInPlace(tape, tape.tensor([ROWS, D]), x)).not.toThrow();
  });

  it('refuses a loss whose gradients the caller keeps, where crossEntropy belongs', () => {
    const { parameters, x, arena, device } = setUp();
    const tape = new Tape(arena, { parameters: parameters.list() });
    const targets = new Tensor(device.from('i32', new Int32Array(ROWS)), [ROWS]);
    const inputs = { hidden: linear(tape, x, parameters.get('down')), weight: x, targets };
    expect(() => linearCrossEntropy(tape, inputs)).toThrow(/linearCrossEntropy: has no gradient/);
    expect(() => linearCrossEntropy(new Scope(arena), inputs)).not.toThrow();
  });

  it('says before any gradient is changed that something they need was disposed', async () => {
    const dispose: Record<string, (f: ReturnType<typeof setUp> & { normed: Tensor }) => Tensor> = {
      'which rmsNorm needs for its gradients': ({ x }) => x,
      'which linear needs for its gradients': ({ normed }) => normed,
      'a parameter': ({ parameters }) => parameters.get('down'),
      'where a gradient goes': ({ parameters }) => parameters.list()[0]!.gradient,
      'the gradient to start from': ({ dy }) => dy,
    };
    for (const [what, choose] of Object.entries(dispose)) {
      const made = setUp();
      const { parameters, x, dy, arena, device } = made;
      const tape = new Tape(arena, { parameters: parameters.list() });
      const normed = rmsNorm(tape, x, parameters.get('norm'));
      const y = linear(tape, normed, parameters.get('down'));
      choose({ ...made, normed }).buffer.dispose();
      expect(() => y.backward(dy)).toThrow(DisposedError);
      expect(() => y.backward(dy)).toThrow(new RegExp(`backward: ".+" \\[.+\\], ${what}, was disposed`));
      for (const { gradient } of parameters.list().slice(1)) {
        expect((await floats(device, gradient)).every((value) => value === 0)).toBe(true);
      }
    }
  });

  it('refuses a tensor that was released, whose buffer may hold another one', () => {
    const { parameters, x, arena } = setUp();
    const tape = new Tape(arena, { parameters: parameters.list() });
    const y = linear(tape, x, parameters.get('up'));
    const half = y.columns(0, D);
    tape.release(y);
    linear(tape, x, parameters.get('up'));
    expect(() => swiglu(tape, half, half)).toThrow(/swiglu: "linear" \[5,6\] was released before/);
    const kept = linear(tape, x, parameters.get('down'));
    linear(tape, kept, parameters.get('down'));
    tape.release(kept);
    expect(() => tape.release(kept)).toThrow(/tape.release: "linear" \[5,6\] was released before/);
  });

  it('watches inputs, not parameters or results, whose own gradients would be lost', () => {
    const { parameters, x, arena } = setUp();
    const tape = new Tape(arena, { parameters: parameters.list() });
    expect(() => tape.watch(parameters.get('down'))).toThrow(GradientError);
    const y = linear(tape, tape.watch(x), parameters.get('down'));
    expect(() => tape.watch(y)).toThrow(/watch: "linear" \[5,6\] is a parameter or was computed on this tape/);
    const gradient = tape.gradient(x).buffer;
    expect(tape.gradient(tape.watch(x)).buffer).toBe(gradient);
  });

  it('refuses to compute twice what reads a differentiated tensor that is none of its inputs', () => {
    const { parameters, x, arena } = setUp();
    const tape = new Tape(arena, { parameters: parameters.list() });
    const y = linear(tape, x, parameters.get('down'));
    const outer = (scope: Scope, input: Tensor) => residual(scope, input, y);
    expect(() => tape.recompute('block', [x], outer)).toThrow(
      /block \/ residual: "linear" \[5,6\] is being differentiated.*pass it to recompute/,
    );
    const inner = (scope: Scope, input: Tensor) => (scope as Tape).recompute('inner', [input], outer);
    expect(() => tape.recompute('block', [x], inner)).toThrow(/block \/ inner \/ residual: "linear"/);
    expect(() => tape.recompute('block', [x, y], outer)).not.toThrow();
  });

  it('refuses a gradient of another length, and the gradient of what is not watched', () => {
    const { device, x, arena } = setUp();
    const gradient = new Tensor(device.alloc('fp32', 4), [4]);
    expect(() => new Tape(arena, { parameters: [{ value: x, gradient }] })).toThrow(/must be 30 fp32, got 4 fp32/);
    expect(() => new Tape(arena).gradient(x)).toThrow(/is not watched; call tape.watch first/);
  });

  it('keeps what its gradients need although the caller releases it, and frees it as it goes back', () => {
    const { parameters, x, dy, arena } = setUp();
    const tape = new Tape(arena, { parameters: parameters.list() });
    const normed = rmsNorm(tape, x, parameters.get('norm'));
    const y = linear(tape, normed, parameters.get('down'));
    tape.release(normed);
    expect(tape.tensor([ROWS, D]).buffer).not.toBe(normed.buffer);
    y.backward(dy);
    const size = arena.size;
    tape.tensor([ROWS, D]);
    expect(arena.size).toBe(size);
    tape.dispose();
  });

  it('needs less memory where it computes a part twice', () => {
    const most = (recompute: boolean) => {
      const { parameters, x, dy, arena } = setUp();
      const tape = new Tape(arena, { parameters: parameters.list() });
      let hidden = residual(tape, x, x);
      for (let layer = 0; layer < 6; layer++) {
        const compute = (scope: Scope, input: Tensor) => {
          let inner = input;
          for (let depth = 0; depth < 4; depth++) inner = linear(scope, inner, parameters.get('down'));
          return inner;
        };
        const next = recompute ? tape.recompute(`layer ${layer}`, [hidden], compute) : compute(tape, hidden);
        tape.release(hidden);
        hidden = next;
      }
      hidden.backward(dy);
      tape.dispose();
      return arena.size;
    };
    expect(most(true)).toBeLessThan(0.6 * most(false));
  });
});
