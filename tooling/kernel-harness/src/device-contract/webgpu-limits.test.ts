import {
  createWebGpuDevice,
  DeviceError,
  defineKernel,
  type Kernel,
  OptionError,
  OutOfMemoryError,
  requestAdapter,
  ShapeError,
  type WebGpuDevice,
} from '@xlstm/device';
import { expect, it } from 'vitest';
import { describeDevices } from '../test-kernel.ts';
import { scaleKernel, stepKernel } from './fixture-kernels.ts';

const broken: Kernel<typeof stepKernel.bindings, typeof stepKernel.params> = defineKernel({
  ...stepKernel,
  id: 'fixture_broken',
  webgpu: [{ name: 'plain', code: 'fn fixture_broken() { this is not WGSL }', workgroups: () => [1, 1, 1] }],
});

const demanding: Kernel<typeof stepKernel.bindings, typeof stepKernel.params> = defineKernel({
  ...stepKernel,
  webgpu: [
    { ...stepKernel.webgpu![0]!, name: 'wide', needs: { invocationsPerWorkgroup: 1_000_000 } },
    { ...stepKernel.webgpu![0]!, name: 'large', needs: { workgroupStorageBytes: 2 ** 30 } },
    { ...stepKernel.webgpu![0]!, name: 'grouped', needs: { minSubgroupSize: 1024 } },
    { ...stepKernel.webgpu![0]!, name: 'future', needs: { features: ['no-such-feature' as GPUFeatureName] } },
    { ...stepKernel.webgpu![0]!, name: 'even', fits: ({ params }) => params.b % 2 === 0 },
    { ...stepKernel.webgpu![0]!, name: 'plain' },
  ],
});

await describeDevices(
  'limits',
  (device) => {
    const gpu = device as WebGpuDevice;

    it('names itself, its features and its limits', () => {
      expect(gpu.info.kind).toBe('webgpu');
      expect(gpu.name).not.toBe('');
      expect(gpu.info.features).toEqual([...gpu.gpu.features].sort());
      expect(gpu.info.limits.maxComputeInvocationsPerWorkgroup).toBeGreaterThanOrEqual(256);
      expect(gpu.kernelLimits.maxWorkgroupsPerDimension).toBeGreaterThanOrEqual(65535);
    });

    it('refuses a grid larger than the adapter takes', async () => {
      const y = device.from('fp32', Float32Array.of(3));
      const groups = gpu.kernelLimits.maxWorkgroupsPerDimension;
      const launch = (count: number) =>
        device.launch(stepKernel, { buffers: { y }, params: { a: 1, b: 1, groups: count } });
      expect(() => launch(groups + 1)).toThrow(ShapeError);
      expect(() => launch(groups + 1)).toThrow(/grid \d+ x 1 x 1 exceeds this adapter's \d+ workgroups a dimension/);
      launch(groups);
      launch(0);
      expect((await device.read(y))[0]).toBe(4);
      y.dispose();
    });

    it('binds the largest buffer that it says it can, and no larger', () => {
      expect(() => device.alloc('fp16', device.maxBufferBytes / 2 + 1)).toThrow(OutOfMemoryError);
      expect(device.maxBufferBytes).toBeGreaterThanOrEqual(128 * 2 ** 20);
    });

    it('keeps to lower limits where they are asked for, also below what WebGPU guarantees', async () => {
      const MiB = 2 ** 20;
      const lower = { maxStorageBufferBindingSize: 128 * MiB, maxBufferSize: 256 * MiB };
      const small = await createWebGpuDevice({ limits: lower });
      expect(small.info.limits).toMatchObject(lower);
      expect(small.gpu.limits.maxBufferSize).toBe(256 * MiB);
      expect(small.maxBufferBytes).toBe(128 * MiB);
      small.alloc('fp32', 32 * MiB).dispose();
      expect(() => small.alloc('fp32', 32 * MiB + 1)).toThrow(
        /needs 134217732 bytes, this adapter binds at most 134217728/,
      );
      small.dispose();

      const limits = { maxStorageBufferBindingSize: MiB, maxComputeWorkgroupsPerDimension: 100 };
      const own = await (await requestAdapter()).requestDevice();
      for (const options of [{ limits }, { limits, gpuDevice: own }]) {
        const tiny = await createWebGpuDevice(options);
        expect(tiny.maxBufferBytes).toBe(MiB);
        expect(() => tiny.alloc('u32', MiB / 4 + 1)).toThrow(OutOfMemoryError);
        const y = tiny.alloc('fp32', 1);
        const launch = () => tiny.launch(stepKernel, { buffers: { y }, params: { a: 1, b: 1, groups: 101 } });
        expect(launch).toThrow(/exceeds this adapter's 100 workgroups/);
        tiny.dispose();
      }
      own.destroy();
    });

    it('refuses limits that the adapter does not have, and what is no limit', async () => {
      const create = (limits: object) => createWebGpuDevice({ limits });
      await expect(create({ maxBufferSize: 2 ** 52 })).rejects.toThrow(DeviceError);
      await expect(create({ maxBufferSize: 2 ** 52 })).rejects.toThrow(
        /maxBufferSize is \d+, this adapter offers \d+;/,
      );
      await expect(create({ maxBufferSize: 0 })).rejects.toThrow(OptionError);
      await expect(create({ maxBuffers: 3 })).rejects.toThrow(/no limit is called maxBuffers; .* maxBufferSize/);
    });

    it('takes the first form that the adapter can run and that fits the launch', async () => {
      expect(device.variants(demanding as unknown as Kernel)).toEqual(['even', 'plain']);
      const y = device.from('fp32', Float32Array.of(1));
      const launch = (b: number, variant?: string) =>
        device.launch(demanding, { buffers: { y }, params: { a: 1, b, groups: 1 }, ...(variant ? { variant } : {}) });
      launch(1);
      launch(2, 'plain');
      launch(2, 'even');
      expect(() => launch(1, 'even')).toThrow(DeviceError);
      expect(() => launch(1, 'wide')).toThrow(/no WGSL form "wide" fits .*usable here: even, plain/);
      expect((await device.read(y))[0]).toBe(6);
      y.dispose();
    });

    it('WGSL that does not compile is a DeviceError at the next sync or read, naming the kernel; the device goes on', async () => {
      const own = await createWebGpuDevice();
      for (const wait of ['sync', 'read'] as const) {
        const y = own.from('fp32', Float32Array.of(1));
        own.launch(broken, { buffers: { y }, params: { a: 1, b: 1, groups: 1 } });
        const failing = wait === 'sync' ? own.sync() : own.read(y);
        await expect(failing).rejects.toThrow(DeviceError);
        await own.sync().catch(() => {});
        y.dispose();
      }
      const x = own.from('fp32', Float32Array.of(2));
      const y = own.alloc('fp32', 1);
      own.launch(scaleKernel, { buffers: { x, y, z: undefined }, params: { n: 1, a: 4 } });
      expect((await own.read(y))[0]).toBe(8);
      own.dispose();
    });

    it('says what is wrong in the WGSL', async () => {
      const own = await createWebGpuDevice();
      const y = own.from('fp32', Float32Array.of(1));
      own.launch(broken, { buffers: { y }, params: { a: 1, b: 1, groups: 1 } });
      await expect(own.sync()).rejects.toThrow(/fixture_broken|expected/);
      own.dispose();
    });
  },
  ['webgpu'],
);
