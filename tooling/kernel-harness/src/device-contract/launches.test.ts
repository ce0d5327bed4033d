import { createCpuDevice, DeviceError, DisposedError, DtypeError, OptionError, ShapeError } from '@xlstm/device';
import { describe, expect, it } from 'vitest';
import { describeDevices } from '../test-kernel.ts';
import { firstWordKernel, scaleKernel, stepKernel } from './fixture-kernels.ts';

await describeDevices('launches', (device, kind) => {
  const run = () => {
    const x = device.from('fp32', Float32Array.of(1, 2, 3));
    const y = device.alloc('fp32', 3);
    const dispose = () => {
      x.dispose();
      y.dispose();
    };
    return { x, y, params: { n: 3, a: 2 }, dispose };
  };

  it('computes, with and without an optional buffer', async () => {
    const { x, y, params, dispose } = run();
    device.launch(scaleKernel, { buffers: { x, y, z: undefined }, params });
    expect([...(await device.read(y))]).toEqual([2, 4, 6]);
    const z = device.from('fp32', Float32Array.of(10, 20, 30));
    device.launch(scaleKernel, { buffers: { x, y, z }, params });
    expect([...(await device.read(y))]).toEqual([12, 24, 36]);
    // One buffer may be read through two bindings.
    device.launch(scaleKernel, { buffers: { x, y, z: x }, params: { n: 3, a: -0.5 } });
    expect([...(await device.read(y))]).toEqual([0.5, 1, 1.5]);
    z.dispose();
    dispose();
  });

  it('orders launches, uploads, copies and clears as called', async () => {
    const y = device.from('fp32', Float32Array.of(1));
    const kept = device.alloc('fp32', 1);
    const step = (a: number, b: number) => device.launch(stepKernel, { buffers: { y }, params: { a, b, groups: 1 } });
    step(2, 1); // 3
    step(3, -1); // 8
    device.copy(y, kept);
    device.upload(y, Float32Array.of(100));
    step(2, 0); // 200
    const uploaded = device.read(y);
    device.clear(y);
    step(5, 7); // 7
    expect([...(await uploaded), ...(await device.read(y)), ...(await device.read(kept))]).toEqual([200, 7, 8]);
    y.dispose();
    kept.dispose();
  });

  it('runs thousands of launches in order without a wait', async () => {
    const y = device.from('fp32', Float32Array.of(0));
    let expected = 0;
    for (let index = 0; index < 1500; index++) {
      const b = (index * 7) % 11;
      device.launch(stepKernel, { buffers: { y }, params: { a: 0.5, b, groups: 1 } });
      expected = Math.fround(0.5 * expected + b);
    }
    expect((await device.read(y))[0]).toBeCloseTo(expected, 4);
    y.dispose();
  });

  it('takes bindings of several dtypes and kernels without parameters', async () => {
    const y = device.alloc('u32', 1);
    for (const [dtype, data, word] of [
      ['fp32', Float32Array.of(1), 0x3f800000],
      ['bf16', Uint16Array.of(0x1234, 0x5678), 0x56781234],
    ] as const) {
      const w = device.from(dtype, data);
      device.launch(firstWordKernel, { buffers: { w, y }, params: {} });
      expect((await device.read(y))[0]).toBe(word);
      w.dispose();
    }
    y.dispose();
  });

  it('passes i32 and f32 parameters exactly', async () => {
    const y = device.from('fp32', Float32Array.of(1));
    device.launch(stepKernel, { buffers: { y }, params: { a: 0.1, b: -7, groups: 1 } });
    expect((await device.read(y))[0]).toBeCloseTo(Math.fround(0.1) - 7, 6);
    y.dispose();
  });

  describe('refuses, before anything is queued,', () => {
    it('missing, unknown and wrong buffers', async () => {
      const { x, y, params, dispose } = run();
      const launch = (buffers: object) => () => device.launch(scaleKernel, { buffers: buffers as never, params });
      expect(launch({ x })).toThrow(/fixture_scale: buffer y is missing/);
      expect(launch({ x, y, w: x })).toThrow(/no buffer is called w; it takes x, z, y/);
      expect(launch({ x, y: x })).toThrow(OptionError);
      expect(launch({ x, y, z: y })).toThrow(/bound as y, which is written, and as z/);
      const ids = device.alloc('i32', 3);
      expect(launch({ x: ids, y })).toThrow(DtypeError);
      const elsewhere = createCpuDevice();
      expect(launch({ x: elsewhere.alloc('fp32', 3), y })).toThrow(DeviceError);
      ids.dispose();
      expect(launch({ x: ids, y })).toThrow(DisposedError);
      expect([...(await device.read(y))]).toEqual([0, 0, 0]);
      dispose();
    });

    it('missing and wrong parameters', async () => {
      const { x, y, dispose } = run();
      const launch = (params: object) => () =>
        device.launch(scaleKernel, { buffers: { x, y, z: undefined }, params: params as never });
      expect(launch({ a: 1 })).toThrow(/parameter n is missing; pass a u32/);
      for (const n of [-1, 0.5, Number.NaN, 2 ** 32]) expect(launch({ n, a: 1 })).toThrow(ShapeError);
      expect(launch({ n: 3, a: Number.NaN })).toThrow(OptionError);
      expect(launch({ n: 3, a: 1, b: 1 })).toThrow(/no parameter is called b/);
      const y1 = device.alloc('fp32', 1);
      expect(() => device.launch(stepKernel, { buffers: { y: y1 }, params: { a: 1, b: 2 ** 31, groups: 1 } })).toThrow(
        ShapeError,
      );
      expect([...(await device.read(y))]).toEqual([0, 0, 0]);
      y1.dispose();
      dispose();
    });

    it('kernels that have no form here', () => {
      const y = device.alloc('fp32', 1);
      const { reference: _reference, webgpu: _webgpu, ...bare } = stepKernel;
      expect(device.variants(bare as never)).toEqual([]);
      expect(() => device.launch(bare, { buffers: { y }, params: { a: 1, b: 0, groups: 1 } })).toThrow(
        kind === 'cpu' ? /no reference implementation/ : /no WGSL form fits/,
      );
      y.dispose();
    });
  });
});
