import { createWebGpuDevice, DeviceError, defineKernel, requestAdapter, type WebGpuDevice } from '@xlstm/device';
import { expect, it, vi } from 'vitest';
import { describeDevices } from '../test-kernel.ts';
import { scaleKernel } from './fixture-kernels.ts';

const STORAGE = 0x80;
const COPY_SRC = 0x04;
const COPY_DST = 0x08;
const MAP_READ = 0x01;

async function scaleOn(device: WebGpuDevice): Promise<number[]> {
  const x = device.from('fp32', Float32Array.of(1, 2));
  const y = device.alloc('fp32', 2);
  device.launch(scaleKernel, { buffers: { x, y, z: undefined }, params: { n: 2, a: 3 } });
  const result = [...(await device.read(y))];
  x.dispose();
  y.dispose();
  return result;
}

await describeDevices("a caller's own GPUDevice", () => {
  it('computes, keeps no listener, and is never destroyed', async () => {
    const adapter = await requestAdapter();
    const gpu = await adapter.requestDevice();
    const added = vi.spyOn(gpu, 'addEventListener');
    const removed = vi.spyOn(gpu, 'removeEventListener');
    const destroyed = vi.spyOn(gpu, 'destroy');

    const device = await createWebGpuDevice({ gpuDevice: gpu });
    expect(device.gpu).toBe(gpu);
    expect(await scaleOn(device)).toEqual([3, 6]);
    device.dispose();
    expect(added).not.toHaveBeenCalled();
    expect(removed).not.toHaveBeenCalled();
    expect(destroyed).not.toHaveBeenCalled();

    const source = gpu.createBuffer({ size: 4, usage: STORAGE | COPY_SRC | COPY_DST });
    const target = gpu.createBuffer({ size: 4, usage: MAP_READ | COPY_DST });
    gpu.queue.writeBuffer(source, 0, Uint32Array.of(42));
    const encoder = gpu.createCommandEncoder();
    encoder.copyBufferToBuffer(source, 0, target, 0, 4);
    gpu.queue.submit([encoder.finish()]);
    await target.mapAsync(1);
    expect(new Uint32Array(target.getMappedRange())[0]).toBe(42);
    target.unmap();

    // Once more, and two at a time: they share the GPU, not their books.
    const first = await createWebGpuDevice({ gpuDevice: gpu });
    const second = await createWebGpuDevice({ gpuDevice: gpu });
    const buffer = first.alloc('fp32', 1);
    expect(() => second.clear(buffer)).toThrow(DeviceError);
    first.dispose();
    expect(await scaleOn(second)).toEqual([3, 6]);
    second.dispose();
    gpu.destroy();
  });

  it("throws what our calls did wrong and leaves its owner's errors to the owner", async () => {
    const adapter = await requestAdapter();
    const gpu = await adapter.requestDevice();
    const uncaptured: string[] = [];
    gpu.addEventListener('uncapturederror', (event) => {
      event.preventDefault?.();
      uncaptured.push(event.error.message);
    });
    const device = await createWebGpuDevice({ gpuDevice: gpu });
    const ownersMistake = () => void gpu.createBuffer({ label: 'of the owner', size: 4, usage: MAP_READ | STORAGE });
    ownersMistake();
    expect(await scaleOn(device)).toEqual([3, 6]);
    await device.sync();
    expect(uncaptured).toEqual([expect.stringContaining('of the owner')]);

    const wrong = defineKernel({
      ...scaleKernel,
      webgpu: [{ ...scaleKernel.webgpu![0]!, code: 'this is no WGSL' }],
    });
    const x = device.alloc('fp32', 2);
    const y = device.alloc('fp32', 2);
    device.launch(wrong, { buffers: { x, y, z: undefined }, params: { n: 2, a: 3 } });
    ownersMistake();
    await expect(device.read(y)).rejects.toThrow(/^webgpu: .*WGSL/s);
    await device.sync();
    expect(uncaptured).toHaveLength(2);

    // Scopes of the owner around our calls see nothing of ours either, and stay as they were.
    gpu.pushErrorScope('validation');
    device.launch(defineKernel({ ...wrong }), { buffers: { x, y, z: undefined }, params: { n: 2, a: 3 } });
    device.flush();
    ownersMistake();
    expect((await gpu.popErrorScope())?.message).toMatch(/of the owner/);
    await expect(device.sync()).rejects.toThrow(DeviceError);
    device.dispose();
    gpu.destroy();
  });

  it('reports the loss of it', async () => {
    const adapter = await requestAdapter();
    const gpu = await adapter.requestDevice();
    const device = await createWebGpuDevice({ gpuDevice: gpu });
    gpu.destroy();
    expect((await device.lost).message).toMatch(/the device was lost/);
    device.dispose();
  });

  it('works within default limits, without any feature', async () => {
    const adapter = await requestAdapter();
    const gpu = await adapter.requestDevice();
    const device = await createWebGpuDevice({ gpuDevice: gpu });
    expect(device.kernelLimits).toMatchObject({ minSubgroupSize: 0, maxInvocationsPerWorkgroup: 256 });
    expect(device.maxBufferBytes).toBe(128 * 2 ** 20);
    device.dispose();
    gpu.destroy();
  });
}, ['webgpu']);
