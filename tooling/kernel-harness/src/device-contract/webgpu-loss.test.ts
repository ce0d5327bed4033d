import { createWebGpuDevice, DeviceError, DeviceLostError, DisposedError, type WebGpuDevice } from '@xlstm/device';
import { expect, it } from 'vitest';
import { describeDevices } from '../test-kernel.ts';
import { scaleKernel, stepKernel } from './fixture-kernels.ts';

await describeDevices('the end of a device', (shared, kind) => {
  if (kind === 'webgpu') {
    it('a loss rejects what waits and everything later, with one typed error', async () => {
      const device: WebGpuDevice = await createWebGpuDevice();
      const x = device.from('fp32', Float32Array.of(1));
      const y = device.from('fp32', Float32Array.of(1));
      const program = device.record(() => device.clear(y), 'step');
      for (let index = 0; index < 200; index++) {
        device.launch(stepKernel, { buffers: { y }, params: { a: 1, b: 1, groups: 1000 } });
      }
      const read = device.read(y);
      const sync = device.sync();
      device.gpu.destroy();
      await expect(read).rejects.toThrow(DeviceLostError);
      await expect(sync).rejects.toThrow(DeviceLostError);
      const lost = await device.lost;
      expect(lost).toBeInstanceOf(DeviceLostError);
      expect(lost.message).toMatch(/the device was lost \(destroyed: .*create a new device and load the model again/);

      const launch = () => device.launch(scaleKernel, { buffers: { x, y, z: undefined }, params: { n: 1, a: 1 } });
      expect(launch).toThrow(DeviceLostError);
      expect(launch).toThrow(/^fixture_scale: webgpu: the device was lost/);
      expect(() => device.alloc('fp32', 1)).toThrow(DeviceLostError);
      expect(() => device.upload(y, Float32Array.of(1))).toThrow(DeviceLostError);
      expect(() => device.copy(x, y)).toThrow(DeviceLostError);
      expect(() => device.clear(y)).toThrow(DeviceLostError);
      expect(() => device.flush()).toThrow(DeviceLostError);
      expect(() => device.record(() => {})).toThrow(DeviceLostError);
      expect(() => program.run()).toThrow(DeviceLostError);
      await expect(device.read(y)).rejects.toThrow(DeviceLostError);
      await expect(device.sync()).rejects.toThrow(DeviceLostError);

      // Cleaning up must work, and leave nothing in the books.
      x.dispose();
      y.dispose();
      expect(device.liveBuffers().count).toBe(0);
      device.dispose();
      device.dispose();
    });

    it('another device goes on when one is lost', async () => {
      const device = await createWebGpuDevice();
      device.gpu.destroy();
      await device.lost;
      const y = shared.from('fp32', Float32Array.of(7));
      expect((await shared.read(y))[0]).toBe(7);
      y.dispose();
    });

    it('dispose is no loss: lost stays pending, and what waited ends with an error instead of hanging', async () => {
      const device = await createWebGpuDevice();
      const y = device.from('fp32', Float32Array.of(1));
      let lost = false;
      void device.lost.then(() => {
        lost = true;
      });
      const read = device.read(y);
      device.dispose();
      await expect(read).rejects.toThrow(DeviceError);
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(lost).toBe(false);
    });
  }

  it('refuses everything after dispose', async () => {
    const device =
      kind === 'webgpu' ? await createWebGpuDevice() : new (shared.constructor as new () => typeof shared)();
    const y = device.from('fp32', Float32Array.of(1));
    const program = device.record(() => device.clear(y));
    device.dispose();
    device[Symbol.dispose]();
    expect(device.disposed).toBe(true);
    const wanted = /: the (webgpu|cpu) device was disposed; create a new one/;
    const launch = () => device.launch(stepKernel, { buffers: { y }, params: { a: 1, b: 1, groups: 1 } });
    expect(launch).toThrow(DisposedError);
    expect(launch).toThrow(wanted);
    expect(() => device.alloc('fp32', 1)).toThrow(DisposedError);
    expect(() => device.upload(y, Float32Array.of(1))).toThrow(DisposedError);
    expect(() => device.clear(y)).toThrow(DisposedError);
    expect(() => device.flush()).toThrow(DisposedError);
    expect(() => device.record(() => {})).toThrow(DisposedError);
    expect(() => program.run()).toThrow(DisposedError);
    await expect(device.read(y)).rejects.toThrow(DisposedError);
    await expect(device.sync()).rejects.toThrow(wanted);
    y.dispose();
    expect(device.liveBuffers().count).toBe(0);
  });
});
