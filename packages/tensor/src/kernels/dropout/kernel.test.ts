import { Arena, createCpuDevice, type Device } from '@xlstm/device';
import { describeDevices, testKernel } from '@xlstm-tooling/kernel-harness/test';
import { expect, it } from 'vitest';
import { Scope } from '../../scope.ts';
import { uploaded } from '../../testing/finite-differences.ts';
import { dropout, dropoutBackward } from './index.ts';
import { spec } from './spec.ts';

await testKernel(spec);

function seedOf(scope: Scope, seed: number, step: number) {
  const tensor = scope.tensor([2], 'u32');
  scope.device.upload(tensor.buffer, Uint32Array.of(seed, step));
  return tensor;
}

async function masks(device: Device, choices: readonly { seed: number; step: number; stream: number }[]) {
  using arena = new Arena(device);
  using scope = new Scope(arena);
  const ones = uploaded(scope, [37, 53], 1);
  const result: number[][] = [];
  for (const { seed, step, stream } of choices) {
    const y = dropout(scope, ones, { p: 0.25, seed: seedOf(scope, seed, step), stream });
    result.push([...(await device.read(y.buffer))]);
  }
  return result;
}

await describeDevices('dropout', (device) => {
  it('draws the same mask on every device, others for another seed, step or stream', async () => {
    const choices = [
      { seed: 5, step: 1, stream: 0 },
      { seed: 6, step: 1, stream: 0 },
      { seed: 5, step: 2, stream: 0 },
      { seed: 5, step: 1, stream: 1 },
    ];
    const drawn = await masks(device, choices);
    using cpu = createCpuDevice();
    expect(drawn).toEqual(await masks(cpu, choices));
    expect(new Set(drawn.map(String)).size).toBe(choices.length);
    for (const mask of drawn) {
      expect(new Set(mask)).toEqual(new Set([0, Math.fround(4 / 3)]));
      const kept = mask.filter((value) => value > 0).length / mask.length;
      // Four standard deviations of a share of 1,961 draws.
      expect(Math.abs(kept - 0.75)).toBeLessThan(4 * Math.sqrt((0.75 * 0.25) / mask.length));
    }
  });

  it('draws again what it drew, for the gradient and for a replay, and anew after a step', async () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const x = uploaded(scope, [3, 9], 2);
    const dx = uploaded(scope, [3, 10], 1);
    const seed = seedOf(scope, 1, 1);
    const options = { p: 0.5, seed, stream: 4 };
    let y = x;
    using program = device.record(() => {
      y = dropout(scope, x, options);
      dropoutBackward(scope, { ...options, dy: x }, { dx: { tensor: dx.columns(1, 9), accumulate: false } });
    });
    const run = async () => {
      program.run();
      const gradient = [...(await device.read(dx.buffer))];
      expect(gradient.filter((_, index) => index % 10 === 0)).toEqual([1, 1, 1]);
      const values = [...(await device.read(y.buffer))];
      expect(gradient.filter((_, index) => index % 10 !== 0)).toEqual(values);
      return values;
    };
    const first = await run();
    expect(await run()).toEqual(first);
    device.upload(seed.buffer, Uint32Array.of(1, 2));
    expect(await run()).not.toEqual(first);
    expect(new Set(first)).toEqual(new Set([0, 4]));
  });

  it('is the identity for p = 0, and drops whatever is there', async () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const seed = seedOf(scope, 1, 1);
    const x = uploaded(scope, [2, 2], [1, 2, 3, 4]);
    using program = device.record(() => {
      expect(dropout(scope, x, { p: 0, seed, stream: 0 })).toBe(x);
    });
    expect(program.dispatches).toBe(0);
    const dx = uploaded(scope, [2, 2], 1);
    dropoutBackward(scope, { dy: x, p: 0, seed, stream: 0 }, { dx: { tensor: dx, accumulate: true } });
    expect([...(await device.read(dx.buffer))]).toEqual([2, 3, 4, 5]);
    dropoutBackward(scope, { dy: x, p: 0, seed, stream: 0 }, { dx: { tensor: dx, accumulate: false } });
    expect([...(await device.read(dx.buffer))]).toEqual([1, 2, 3, 4]);
    const bad = uploaded(scope, [4, 16], Number.NaN);
    const values = [...(await device.read(dropout(scope, bad, { p: 0.5, seed, stream: 0 }).buffer))];
    expect(values).toContain(0);
    expect(values.some(Number.isNaN)).toBe(true);
  });

  it.each([-0.1, 1, 1.5, Number.NaN])('refuses p = %d', (p) => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const [x, seed] = [scope.tensor([2, 2]), scope.tensor([2], 'u32')];
    expect(() => dropout(scope, x, { p, seed, stream: 0 })).toThrow(/dropout: p must be in \[0, 1\), got/);
    expect(() => dropoutBackward(scope, { dy: x, p, seed, stream: 0 }, {})).toThrow(/dropoutBackward: p must be/);
  });

  it('refuses streams and seeds that are none', () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const [x, seed] = [scope.tensor([2, 2]), scope.tensor([2], 'u32')];
    expect(() => dropout(scope, x, { p: 0.5, seed, stream: -1 })).toThrow(/stream must be an unsigned/);
    expect(() => dropout(scope, x, { p: 0.5, seed: x, stream: 0 })).toThrow(/seed must be \[2\], got \[2,2\]/);
    expect(() => dropout(scope, x, { p: 0.5, seed: scope.tensor([2]), stream: 0 })).toThrow(
      /seed must be u32, got fp32/,
    );
  });
});
