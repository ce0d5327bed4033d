import { DeviceError, DisposedError } from '@xlstm/device';
import { expect, it } from 'vitest';
import { describeDevices } from '../test-kernel.ts';
import { scaleKernel, stepKernel } from './fixture-kernels.ts';

await describeDevices('programs', (device) => {
  it('record runs nothing; each run does what the eager calls do', async () => {
    const x = device.from('fp32', Float32Array.of(1, 2, 3, 4, 5));
    const y = device.alloc('fp32', 5);
    const sum = device.from('fp32', Float32Array.of(1));
    const kept = device.alloc('fp32', 5);
    const build = () => {
      device.launch(scaleKernel, { buffers: { x, y, z: undefined }, params: { n: 5, a: 3 } });
      device.copy(y, kept);
      device.launch(stepKernel, { buffers: { y: sum }, params: { a: 2, b: 3, groups: 1 } });
      device.clear(y);
      device.launch(stepKernel, { buffers: { y }, params: { a: 1, b: 9, groups: 1 } });
    };
    const program = device.record(build, 'all kinds');
    expect(program.label).toBe('all kinds');
    expect(program.dispatches).toBe(3);
    const state = async () => Promise.all([y, sum, kept].map(async (buffer) => [...(await device.read(buffer))]));
    expect(await state()).toEqual([[0, 0, 0, 0, 0], [1], [0, 0, 0, 0, 0]]);
    program.run();
    program.run();
    const replayed = await state();
    device.upload(sum, Float32Array.of(1));
    device.clear(kept);
    build();
    build();
    expect(replayed).toEqual(await state());
    expect(replayed).toEqual([[9, 0, 0, 0, 0], [13], [3, 6, 9, 12, 15]]);
    // Contents are read at each run, not at record.
    device.upload(x, Float32Array.of(-1, -2, -3, -4, -5));
    program.run();
    expect([...(await device.read(kept))]).toEqual([-3, -6, -9, -12, -15]);
    program.dispose();
    for (const buffer of [x, y, sum, kept]) buffer.dispose();
  });

  it('mixes with eager calls in order', async () => {
    const y = device.from('fp32', Float32Array.of(1));
    const step = (b: number) => device.launch(stepKernel, { buffers: { y }, params: { a: 2, b, groups: 1 } });
    const program = device.record(() => step(1));
    step(0); // 2
    program.run(); // 5
    step(0); // 10
    program.run(); // 21
    expect((await device.read(y))[0]).toBe(21);
    y.dispose();
  });

  it('profile runs everything once and times each launch, by kernel', async () => {
    const y = device.from('fp32', Float32Array.of(1));
    const program = device.record(() => {
      device.launch(stepKernel, { buffers: { y }, params: { a: 2, b: 1, groups: 1 } });
      device.launch(stepKernel, { buffers: { y }, params: { a: 2, b: 0, groups: 1 } });
    });
    const lacksTimestamps = device.kind === 'webgpu' && !device.info.features.includes('timestamp-query');
    if (lacksTimestamps) {
      await expect(program.profile()).rejects.toThrow(/offers no timestamps/);
      return;
    }
    const timed = await program.profile();
    expect(timed.map(({ kernel }) => kernel.split('/')[0])).toEqual([stepKernel.id, stepKernel.id]);
    for (const { milliseconds } of timed) expect(milliseconds).toBeGreaterThanOrEqual(0);
    expect((await device.read(y))[0]).toBe(6);
    program.dispose();
    await expect(program.profile()).rejects.toThrow(DisposedError);
    y.dispose();
  });

  it('may be empty, and may be larger than a submission', async () => {
    const y = device.alloc('fp32', 1);
    device.record(() => {}).run();
    const program = device.record(() => {
      for (let index = 0; index < 300; index++) {
        device.launch(stepKernel, { buffers: { y }, params: { a: 1, b: 1, groups: 1 } });
      }
    });
    expect(program.dispatches).toBe(300);
    program.run();
    program.run();
    expect((await device.read(y))[0]).toBe(600);
    y.dispose();
  });

  it('refuses what cannot be recorded, and leaves recording when build throws', async () => {
    const y = device.from('fp32', Float32Array.of(4));
    const program = device.record(() =>
      device.launch(stepKernel, { buffers: { y }, params: { a: 1, b: 1, groups: 1 } }),
    );
    const waits: Promise<unknown>[] = [];
    expect(() => device.record(() => device.upload(y, Float32Array.of(5)))).toThrow(
      /upload: not possible while a program is recorded/,
    );
    expect(() => device.record(() => device.record(() => {}))).toThrow(DeviceError);
    expect(() => device.record(() => program.run())).toThrow(DeviceError);
    device.record(() => {
      waits.push(expect(device.read(y)).rejects.toThrow(DeviceError));
      waits.push(expect(device.sync()).rejects.toThrow(DeviceError));
    });
    await Promise.all(waits);
    expect((await device.read(y))[0]).toBe(4);
    device.upload(y, Float32Array.of(6));
    program.run();
    expect((await device.read(y))[0]).toBe(7);
    y.dispose();
  });

  it('does nothing at all when one of its buffers is gone', async () => {
    const first = device.from('fp32', Float32Array.of(1));
    for (const use of ['launch', 'copy', 'clear'] as const) {
      const second = device.alloc('fp32', 1, { label: 'state' });
      const program = device.record(() => {
        device.launch(stepKernel, { buffers: { y: first }, params: { a: 5, b: 0, groups: 1 } });
        if (use === 'copy') device.copy(second, first);
        else if (use === 'clear') device.clear(second);
        else device.launch(stepKernel, { buffers: { y: second }, params: { a: 5, b: 0, groups: 1 } });
      }, 'decode');
      second.dispose();
      expect(() => program.run()).toThrow(DisposedError);
      expect(() => program.run()).toThrow(/program.run \("decode"\): buffer "state"/);
      expect((await device.read(first))[0]).toBe(1);
    }
    first.dispose();
  });

  it('does not run after its own disposal, which leaves its buffers alone', async () => {
    const y = device.from('fp32', Float32Array.of(1));
    const program = device.record(() => device.clear(y), 'gone');
    program.dispose();
    program[Symbol.dispose]();
    expect(() => program.run()).toThrow(/program "gone" was disposed; record it again/);
    expect((await device.read(y))[0]).toBe(1);
    y.dispose();
  });
});
