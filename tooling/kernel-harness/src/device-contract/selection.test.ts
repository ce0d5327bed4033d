import { execFile } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Device, listDevices, OptionError, selectDevice, type WebGpuDevice } from '@xlstm/device';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeDevices } from '../test-kernel.ts';

describe('selectDevice', () => {
  it('gives cpu when asked, with nothing passed over', async () => {
    const selected = await selectDevice('cpu');
    expect(selected).toMatchObject({ reason: 'cpu, as asked', passedOver: [] });
    expect(selected.device.kind).toBe('cpu');
    selected.device.dispose();
  });

  it('refuses a name that it does not know, and lists those it does', async () => {
    await expect(selectDevice('gpu' as never)).rejects.toThrow(OptionError);
    await expect(selectDevice('gpu' as never)).rejects.toThrow('device: "gpu" is not one of auto, webgpu, cpu');
  });
});

await describeDevices(
  'selection',
  (shared: Device) => {
    it('gives webgpu when asked, software or not', async () => {
      const { device, reason, passedOver } = await selectDevice('webgpu');
      expect(device.kind).toBe('webgpu');
      expect(reason).toBe(`webgpu (${device.name}), as asked`);
      expect(passedOver).toEqual([]);
      device.dispose();
    });

    it('auto passes a software adapter over, and says so; it takes a real one', async () => {
      const { device, reason, passedOver } = await selectDevice();
      if (shared.info.software) {
        expect(device.kind).toBe('cpu');
        expect(passedOver).toHaveLength(1);
        expect(passedOver[0]).toMatchObject({ kind: 'webgpu' });
        expect(passedOver[0]!.reason).toMatch(/software one ".+", slower than our cpu device; name webgpu to use it/);
        expect(reason).toBe(`cpu, because webgpu was passed over: ${passedOver[0]!.reason}`);
      } else {
        expect(device.kind).toBe('webgpu');
        expect(passedOver).toEqual([]);
      }
      device.dispose();
    });

    it("auto takes a caller's own GPUDevice, software or not", async () => {
      const { gpu } = shared as WebGpuDevice;
      const { device } = await selectDevice('auto', { gpuDevice: gpu });
      expect((device as WebGpuDevice).gpu).toBe(gpu);
      device.dispose();
    });

    it('lists what is there, with limits and features', async () => {
      const reports = await listDevices();
      expect(reports.map(({ kind }) => kind)).toEqual(['webgpu', 'cpu']);
      const [webgpu, cpu] = reports.map((report) => ('info' in report ? report.info : undefined));
      expect(webgpu).toEqual(shared.info);
      expect(cpu).toMatchObject({ kind: 'cpu', software: false });
    });
  },
  ['webgpu'],
);

// Dawn reads the drivers' names and its toggles once a process, so trying others needs a process of its own, which needs
// JavaScript. Beside the package, so that the bundle finds what the package would find.
const folder = fileURLToPath(new URL('../../../../packages/device/node_modules/', import.meta.url));
const bundle = `${folder}.xlstm-selection-${process.pid}.mjs`;

beforeAll(async () => {
  mkdirSync(folder, { recursive: true });
  const entry = fileURLToPath(new URL('../../../../packages/device/src/index.ts', import.meta.url));
  const build = await rolldown({ input: entry, platform: 'node' });
  await build.write({ file: bundle, format: 'esm' });
  await build.close();
});
afterAll(() => rmSync(bundle, { force: true }));

async function evaluate(code: string, variables: Readonly<Record<string, string>>): Promise<unknown> {
  const script = `
    const { createWebGpuDevice, selectDevice, listDevices } = await import(${JSON.stringify(bundle)});
    const named = (error) => ({ name: error.name, message: error.message });
    const result = await (${code})().catch(named);
    console.log(JSON.stringify(result));
    process.exit(0);`;
  const env = { ...process.env, ...variables };
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { env });
  return JSON.parse(stdout.trim().split('\n').at(-1)!);
}

await describeDevices("Dawn's toggles", () => {
  /** Whether Dawn complains of a buffer that cannot be, which `skip_validation` keeps it from. */
  const validates = `async ({ gpu }) => {
      gpu.pushErrorScope('validation');
      gpu.createBuffer({ size: 4, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE });
      return (await gpu.popErrorScope()) !== null;
    }`;

  it.each([
    ['', true],
    [' skip_validation, allow_unsafe_apis', false],
    ['-skip_validation,', true],
  ])('come from XLSTM_DAWN_TOGGLES="%s"', async (toggles, expected) => {
    const code = `async () => (${validates})(await createWebGpuDevice())`;
    expect(await evaluate(code, { XLSTM_DAWN_TOGGLES: toggles })).toBe(expected);
  });

  it('are those that the program names, whatever the variable says, and stay', async () => {
    const code = `async () => {
        const first = await createWebGpuDevice({ toggles: ['-skip_validation'] });
        const second = await createWebGpuDevice();
        const other = await createWebGpuDevice({ toggles: ['skip_validation'] }).catch(({ message }) => message);
        return [await (${validates})(first), await (${validates})(second), other];
      }`;
    expect(await evaluate(code, { XLSTM_DAWN_TOGGLES: 'skip_validation' })).toEqual([
      true,
      true,
      expect.stringMatching(/already runs .* toggles "-skip_validation"; ask for "skip_validation" at the first call/),
    ]);
  });
}, ['webgpu']);

describe.skipIf(process.platform !== 'linux')('on a machine without a GPU driver', () => {
  const noDriver = { VK_ICD_FILENAMES: '/nowhere.json', VK_DRIVER_FILES: '/nowhere.json' };

  it('a named webgpu throws with the reason and what to do', async () => {
    expect(await evaluate(`() => selectDevice('webgpu')`, noDriver)).toEqual({
      name: 'DeviceError',
      message: expect.stringMatching(/^webgpu: no adapter: .*install a GPU driver, .*or use device cpu$/),
    });
  });

  it('auto takes cpu and says why', async () => {
    expect(
      await evaluate(
        `async () => {
          const { device, reason, passedOver } = await selectDevice('auto');
          return { kind: device.kind, reason, passedOver };
        }`,
        noDriver,
      ),
    ).toEqual({
      kind: 'cpu',
      reason: expect.stringMatching(/^cpu, because webgpu was passed over: no adapter: /),
      passedOver: [{ kind: 'webgpu', reason: expect.stringMatching(/^no adapter: /) }],
    });
  });

  it('listDevices gives the reason for the absence', async () => {
    expect(await evaluate(`() => listDevices()`, noDriver)).toEqual([
      { kind: 'webgpu', absent: expect.stringMatching(/no adapter/) },
      { kind: 'cpu', info: expect.objectContaining({ kind: 'cpu' }) },
    ]);
  });
});
