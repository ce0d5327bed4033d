import {
  createWebGpuDevice,
  DeviceError,
  DeviceLostError,
  DtypeError,
  defineKernel,
  type Kernel,
  type WebGpuDevice,
} from '@xlstm/device';
import { expect, it, vi } from 'vitest';
import { describeDevices } from '../test-kernel.ts';
import { stepKernel } from './fixture-kernels.ts';

type StepKernel = Kernel<typeof stepKernel.bindings, typeof stepKernel.params>;

/** A kernel of its own, so that nothing has compiled it before; `ODD` tells its two pipelines apart. */
const ownKernel: StepKernel = defineKernel({
  ...stepKernel,
  webgpu: [
    {
      ...stepKernel.webgpu![0]!,
      code: `override ODD: u32 = 0; ${stepKernel.webgpu![0]!.code.replace('f32(params.b)', 'f32(params.b + i32(ODD))')}`,
      constants: ({ params }) => ({ ODD: params.b % 2 }),
    },
  ],
});

const wrong = (id: string): StepKernel =>
  defineKernel({
    ...stepKernel,
    id,
    webgpu: [{ name: 'plain', code: `fn ${id}() { this is not WGSL }`, workgroups: () => [1, 1, 1] }],
  });

await describeDevices('prepare', (device) => {
  it('runs nothing, checks everything, and leaves the device usable when build throws', async () => {
    const x = device.from('fp32', Float32Array.of(2));
    const y = device.from('fp32', Float32Array.of(4));
    const i = device.from('i32', Int32Array.of(4));
    await device.prepare(() => {
      device.launch(stepKernel, { buffers: { y }, params: { a: 1, b: 1, groups: 1 } });
      device.copy(x, y);
      device.clear(x);
      device.alloc('fp32', 3).dispose();
    });
    expect([(await device.read(x))[0], (await device.read(y))[0]]).toEqual([2, 4]);
    const badLaunch = () => device.launch(stepKernel, { buffers: { y: i }, params: { a: 1, b: 1, groups: 1 } });
    await expect(device.prepare(badLaunch)).rejects.toThrow(DtypeError);
    await expect(device.prepare(() => device.upload(y, Float32Array.of(5)))).rejects.toThrow(
      /upload: not possible while a program is recorded or prepared/,
    );
    await expect(device.prepare(() => void device.record(() => {}))).rejects.toThrow(DeviceError);
    let nested: Promise<void> | undefined;
    await device.prepare(() => {
      nested = device.prepare(() => {});
      nested.catch(() => {});
    });
    await expect(nested).rejects.toThrow(DeviceError);
    device.launch(stepKernel, { buffers: { y }, params: { a: 1, b: 1, groups: 1 } });
    expect((await device.read(y))[0]).toBe(5);
    const reason = new Error('enough');
    await expect(device.prepare(() => {}, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    for (const buffer of [x, y, i]) buffer.dispose();
  });
});

await describeDevices('prepare', () => {
  const open = async (): Promise<{ device: WebGpuDevice; step: (b: number, kernel?: StepKernel) => void }> => {
    const device = await createWebGpuDevice();
    const y = device.from('fp32', Float32Array.of(1));
    const step = (b: number, kernel = ownKernel) =>
      device.launch(kernel, { buffers: { y }, params: { a: 1, b, groups: 1 } });
    return { device, step };
  };

  it('compiles each pipeline once, ahead, whoever asks and however often', async () => {
    const { device, step } = await open();
    const blocking = vi.spyOn(device.gpu, 'createComputePipeline');
    const ahead = vi.spyOn(device.gpu, 'createComputePipelineAsync');
    expect(device.compiledPipelines).toBe(0);
    const both = () => {
      for (let b = 0; b < 4; b++) step(b);
    };
    await Promise.all([device.prepare(both), device.prepare(both), device.prepare(() => step(1))]);
    await device.prepare(both);
    const program = device.record(both);
    program.run();
    both();
    await device.sync();
    expect(ahead).toHaveBeenCalledTimes(2);
    expect(blocking).not.toHaveBeenCalled();
    expect(device.compiledPipelines).toBe(2);
    device.dispose();
  });

  it('what was not prepared, or not yet, is compiled by the launch', async () => {
    const { device, step } = await open();
    const preparing = device.prepare(() => step(0));
    step(0);
    step(1);
    await preparing;
    await device.sync();
    expect(device.compiledPipelines).toBe(3);
    device.dispose();
  });

  it('rejects with a DeviceError that names the kernel and says what is wrong in it; the rest is ready', async () => {
    const { device, step } = await open();
    const broken = wrong('fixture_wrong');
    for (let times = 0; times < 2; times++) {
      const preparing = device.prepare(() => {
        step(0);
        step(0, broken);
        step(1);
      });
      await expect(preparing).rejects.toThrow(DeviceError);
      await expect(preparing).rejects.toThrow(/^prepare: fixture_wrong \(plain\) does not compile: .*this/s);
      // It has been told: nothing else fails for it.
      await device.sync();
    }
    expect(device.compiledPipelines).toBe(4);
    step(0, broken);
    await expect(device.sync()).rejects.toThrow(/fixture_wrong|expected/);
    device.dispose();
  });

  it('an abort ends the wait, not the compilation', async () => {
    const { device, step } = await open();
    const abort = new AbortController();
    const preparing = device.prepare(() => step(0), { signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(preparing).rejects.toThrow('enough');
    await device.prepare(() => step(0));
    step(0);
    await device.sync();
    expect(device.compiledPipelines).toBe(1);
    device.dispose();
  });

  it('a loss meanwhile is a DeviceLostError', async () => {
    const { device, step } = await open();
    const preparing = device.prepare(() => {
      step(0);
      step(1);
    });
    device.gpu.destroy();
    // A driver may be done before it hears of its end.
    await preparing.catch((error) => expect(error).toBeInstanceOf(DeviceLostError));
    await device.lost;
    await expect(device.prepare(() => step(0))).rejects.toThrow(DeviceLostError);
    device.dispose();
  });
}, ['webgpu']);
