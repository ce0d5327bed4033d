import { Arena, type Device, OptionError } from '@xlstm/device';
import { Random } from '@xlstm-tooling/kernel-harness';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import { expect, it } from 'vitest';
import { residual } from '../kernels/residual/index.ts';
import { rmsNorm } from '../kernels/rms-norm/index.ts';
import { linear } from '../ops/linear.ts';
import { Parameters } from '../parameters.ts';
import type { Scope } from '../scope.ts';
import { Tensor } from '../tensor.ts';
import { Tape, type TapeOptions } from './tape.ts';

const D = 6;

function fixture(device: Device) {
  const random = new Random(4);
  const parameters = new Parameters(device, [
    { name: 'norm', shape: [D], decay: false },
    { name: 'up', shape: [D, D], decay: true },
    { name: 'down', shape: [D, D], decay: true },
  ]);
  const fill = (name: string, bad?: number) => {
    const data = random.normals(parameters.get(name).buffer.length);
    if (bad !== undefined) data[3] = bad;
    parameters.write(name, data);
  };
  for (const name of parameters.names) fill(name);
  const x = new Tensor(device.from('fp32', random.normals(5 * D)), [5, D]);
  return { parameters, fill, x, arena: new Arena(device) };
}

function compute(scope: Scope, x: Tensor, parameters: Parameters): Tensor {
  const normed = rmsNorm(scope, x, parameters.get('norm'));
  const y = linear(scope, linear(scope, normed, parameters.get('up')), parameters.get('down'));
  scope.release(normed);
  return residual(scope, x, y);
}

await describeDevices('Tape.firstAnomaly', (device) => {
  it.each([Number.NaN, Number.POSITIVE_INFINITY])('names the first operation that made %s', async (bad) => {
    const { parameters, fill, x, arena } = fixture(device);
    const run = async () => {
      const tape = new Tape(arena, { parameters: parameters.list(), detectAnomalies: true });
      compute(tape, x, parameters).backward(x);
      const found = await tape.firstAnomaly();
      tape.dispose();
      return found;
    };
    expect(await run()).toBeUndefined();
    fill('down', 1e30);
    expect(await run()).toBeUndefined();
    fill('down', bad);
    expect(await run()).toEqual({ operation: 'linear', index: 2, output: 0, shape: [5, D], parameters: ['down'] });
    fill('norm', bad);
    expect(await run()).toEqual({ operation: 'rmsNorm', index: 0, output: 0, shape: [5, D], parameters: ['norm'] });
    parameters.dispose();
    arena.dispose();
  });

  it('looks inside of what is computed twice', async () => {
    const { parameters, fill, x, arena } = fixture(device);
    fill('up', Number.NaN);
    const tape = new Tape(arena, { parameters: parameters.list(), detectAnomalies: true });
    const y = tape.recompute('block 0', [x], (scope, input) => compute(scope, input, parameters));
    y.backward(x);
    expect(await tape.firstAnomaly()).toMatchObject({ operation: 'block 0 / linear', index: 1, parameters: ['up'] });
    tape.dispose();
    parameters.dispose();
    arena.dispose();
  });

  it('tells about the latest run of a recorded tape', async () => {
    const { parameters, fill, x, arena } = fixture(device);
    const tape = new Tape(arena, { parameters: parameters.list(), detectAnomalies: true });
    const program = device.record(() => compute(tape, x, parameters).backward(x), 'step');
    for (const [bad, found] of [
      [undefined, undefined],
      [Number.NaN, { index: 1, parameters: ['up'] }],
      [undefined, undefined],
    ] as const) {
      fill('up', bad);
      program.run();
      if (found) expect(await tape.firstAnomaly()).toMatchObject(found);
      else expect(await tape.firstAnomaly()).toBeUndefined();
    }
    program.dispose();
    tape.dispose();
    parameters.dispose();
    arena.dispose();
  });

  it('finds one among more results than a page of counts holds', async () => {
    const { parameters, fill, x, arena } = fixture(device);
    const run = async () => {
      const tape = new Tape(arena, { parameters: parameters.list(), detectAnomalies: true });
      for (let at = 0; at < 1100; at++) tape.release(rmsNorm(tape, x, parameters.get('norm')));
      rmsNorm(
        tape,
        x,
        parameters
          .get('up')
          .reshape([D * D])
          .columns(0, D)
          .reshape([D]),
      );
      const found = await tape.firstAnomaly();
      tape.dispose();
      return found;
    };
    expect(await run()).toBeUndefined();
    fill('up', Number.NaN);
    expect(await run()).toMatchObject({ operation: 'rmsNorm', index: 1100, parameters: ['up'] });
    parameters.dispose();
    arena.dispose();
  });

  it('costs nothing when it is off, and then says so', async () => {
    const { parameters, x, arena } = fixture(device);
    const dispatches = (options: TapeOptions) => {
      const tape = new Tape(arena, { ...options, parameters: parameters.list() });
      const program = device.record(() => void compute(tape, x, parameters), 'forward');
      const count = program.dispatches;
      program.dispose();
      tape.dispose();
      return count;
    };
    expect(dispatches({ detectAnomalies: true })).toBe(dispatches({}) + 4);
    const tape = new Tape(arena);
    await expect(tape.firstAnomaly()).rejects.toThrow(OptionError);
    const disposed = new Tape(arena, { detectAnomalies: true });
    disposed.dispose();
    await expect(disposed.firstAnomaly()).rejects.toThrow(/make it with detectAnomalies: true and ask before dispose/);
    tape.dispose();
    parameters.dispose();
    arena.dispose();
  });
});
