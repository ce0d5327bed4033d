import { Arena, DisposedError } from '@xlstm/device';
import { expect, it } from 'vitest';
import { describeDevices } from '../test-kernel.ts';
import { scaleKernel } from './fixture-kernels.ts';

await describeDevices('Arena', (device) => {
  it('allocates nothing in a steady state, and results stay right', async () => {
    const before = device.liveBuffers();
    const arena = new Arena(device, 'test arena');
    const x = device.from('fp32', Float32Array.of(1, 2, 3));
    const step = () => {
      const a = arena.alloc('fp32', 3);
      device.launch(scaleKernel, { buffers: { x, y: a, z: undefined }, params: { n: 3, a: 2 } });
      const b = arena.alloc('fp32', 3);
      device.launch(scaleKernel, { buffers: { x: a, y: b, z: undefined }, params: { n: 3, a: 10 } });
      arena.release(a);
      // Takes a's memory over while the launches above may still be queued.
      const c = arena.alloc('fp32', 3);
      device.launch(scaleKernel, { buffers: { x: b, y: c, z: b }, params: { n: 3, a: 1 } });
      arena.release(b);
      const result = device.read(c);
      arena.release(c);
      return result;
    };
    expect([...(await step())]).toEqual([40, 80, 120]);
    const steady = device.liveBuffers();
    expect(steady.byOwner['test arena']).toEqual({ count: 2, bytes: 24 });
    for (let index = 0; index < 20; index++) expect([...(await step())]).toEqual([40, 80, 120]);
    expect(device.liveBuffers()).toEqual(steady);
    expect(arena.size).toBe(2);
    arena.dispose();
    x.dispose();
    expect(device.liveBuffers()).toEqual(before);
  });

  it('never hands one buffer out twice, also when it was released twice', () => {
    const arena = new Arena(device);
    const a = arena.alloc('bf16', 8);
    arena.release(a);
    arena.release(a);
    const b = arena.alloc('bf16', 8);
    const c = arena.alloc('bf16', 8);
    expect(b).toBe(a);
    expect(c).not.toBe(a);
    arena.dispose();
  });

  it('reuses by dtype and length only', () => {
    const arena = new Arena(device);
    const a = arena.alloc('bf16', 8);
    arena.release(a);
    expect(arena.alloc('fp16', 8)).not.toBe(a);
    expect(arena.alloc('bf16', 9)).not.toBe(a);
    expect(arena.alloc('bf16', 8)).toBe(a);
    arena.dispose();
  });

  it('leaves strangers alone, trims what is free, and disposes what is not', () => {
    const before = device.liveBuffers().count;
    const arena = new Arena(device);
    const stranger = device.alloc('fp32', 4);
    arena.release(stranger);
    expect(arena.alloc('fp32', 4)).not.toBe(stranger);
    const free = arena.alloc('fp32', 6);
    const used = arena.alloc('fp32', 6);
    arena.release(free);
    arena.trim();
    expect([free.disposed, used.disposed, arena.size]).toEqual([true, false, 2]);
    arena.release(free);
    expect(arena.alloc('fp32', 6)).not.toBe(free);
    arena.dispose();
    arena[Symbol.dispose]();
    expect([used.disposed, stranger.disposed, arena.size]).toEqual([true, false, 0]);
    expect(() => arena.alloc('fp32', 1)).toThrow(DisposedError);
    stranger.dispose();
    expect(device.liveBuffers().count).toBe(before);
  });

  it('never hands out a buffer that someone disposed while it was free', () => {
    const arena = new Arena(device);
    const a = arena.alloc('fp32', 2);
    arena.release(a);
    a.dispose();
    const b = arena.alloc('fp32', 2);
    expect(b.disposed).toBe(false);
    arena.dispose();
  });
});
