import { Arena, createCpuDevice, DeviceError } from '@xlstm/device';
import { describe, expect, it } from 'vitest';
import { Scope } from './scope.ts';

describe('Scope', () => {
  it('hands out tensors of the arena and counts them as its own', () => {
    using device = createCpuDevice();
    using arena = new Arena(device, 'step');
    using scope = new Scope(arena);
    const t = scope.tensor([2, 3], 'i32', 'ids');
    expect([t.shape, t.dtype, t.buffer.owner, t.buffer.label]).toEqual([[2, 3], 'i32', 'step', 'ids']);
    expect(scope.device).toBe(device);
    expect(arena.size).toBe(1);
  });

  it('reuses released buffers of the same dtype and size only', () => {
    using device = createCpuDevice();
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const first = scope.tensor([2, 3]);
    scope.release(first);
    expect(scope.tensor([3, 3]).buffer).not.toBe(first.buffer);
    expect(scope.tensor([6], 'i32').buffer).not.toBe(first.buffer);
    expect(scope.tensor([6]).buffer).toBe(first.buffer);
    expect(scope.tensor([6]).buffer).not.toBe(first.buffer);
  });

  it('refuses a second release, and tensors of others', () => {
    using device = createCpuDevice();
    using arena = new Arena(device);
    using scope = new Scope(arena);
    using other = new Scope(arena);
    const t = scope.tensor([4], 'fp32', 'mine');
    expect(() => other.release(t)).toThrow(DeviceError);
    scope.release(t);
    expect(() => scope.release(t)).toThrow(/scope.release: "mine" is not this scope's, or was released before/);
    const view = scope.tensor([2, 4]).columns(0, 2);
    scope.release(view);
    expect(() => scope.release(view)).toThrow(DeviceError);
  });

  it('hands the rest back when disposed, so that a repeated step allocates nothing', () => {
    using device = createCpuDevice();
    const arena = new Arena(device);
    const step = () => {
      using scope = new Scope(arena);
      const a = scope.tensor([8]);
      const b = scope.tensor([8]);
      scope.release(a);
      scope.tensor([8]);
      scope.tensor([16]);
      expect(b.buffer.disposed).toBe(false);
    };
    step();
    const after = device.liveBuffers();
    for (let repeat = 0; repeat < 5; repeat++) step();
    expect(device.liveBuffers()).toEqual(after);
    expect(arena.size).toBe(3);
    arena.dispose();
    expect(device.liveBuffers().count).toBe(0);
  });

  it('may be disposed twice', () => {
    using device = createCpuDevice();
    using arena = new Arena(device);
    const scope = new Scope(arena);
    const t = scope.tensor([4]);
    scope.dispose();
    scope.dispose();
    using next = new Scope(arena);
    expect(next.tensor([4]).buffer).toBe(t.buffer);
    expect(next.tensor([4]).buffer).not.toBe(t.buffer);
  });
});
