import { createWebGpuDevice, DeviceError, DeviceLostError, selectDevice, type WebGpuDevice } from '@xlstm/device';
import { type KernelSpec, Random } from '@xlstm-tooling/kernel-harness';
import { runFirstCases } from './kernels.ts';

/** What a page can tell of its device, as plain data. */
export interface DeviceFacts {
  name: string;
  software: boolean;
  /** What WebGPU itself says of the adapter. */
  isFallbackAdapter: boolean;
  isSecureContext: boolean;
  /** Which device `auto` takes. */
  auto: string;
  autoReason: string;
  /** Whether Dawn's toggles are refused with a DeviceError. */
  refusesToggles: boolean;
}

/** Describes the page's device and how devices are chosen there. */
export async function describeDevice(device: WebGpuDevice): Promise<DeviceFacts> {
  const selected = await selectDevice('auto');
  selected.device.dispose();
  const refusesToggles = await createWebGpuDevice({ toggles: ['skip_validation'] }).then(
    () => false,
    (error: unknown) => error instanceof DeviceError,
  );
  const { adapterInfo } = device.gpu as unknown as { adapterInfo: { isFallbackAdapter: boolean } };
  return {
    name: device.name,
    software: device.info.software,
    isFallbackAdapter: adapterInfo.isFallbackAdapter,
    isSecureContext: (globalThis as unknown as { isSecureContext: boolean }).isSecureContext,
    auto: selected.device.kind,
    autoReason: selected.reason,
    refusesToggles,
  };
}

/** What came of a device that the caller made. */
export interface OwnDeviceFacts {
  launches: number;
  failures: readonly string[];
  /** What a buffer written and copied by the caller held after our device was disposed. */
  afterDispose: readonly number[];
}

/** The page's way in; the project's types know no DOM. */
export function gpuOfPage(): GPU | undefined {
  return (globalThis as unknown as { navigator: { gpu?: GPU } }).navigator.gpu;
}

/** Lends a GPUDevice with WebGPU's default limits to ours, disposes ours, and goes on using the caller's. */
export async function lendOwnDevice(specs: readonly KernelSpec[]): Promise<OwnDeviceFacts> {
  const adapter = await gpuOfPage()!.requestAdapter();
  const gpuDevice = await adapter!.requestDevice();
  const device = await createWebGpuDevice({ gpuDevice });
  // A mistake of the caller's own, which is none of ours.
  gpuDevice.createBuffer({ size: 16, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE });
  const { launches, failures } = await runFirstCases(specs, device);
  device.dispose();
  const source = gpuDevice.createBuffer({ size: 16, usage: GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST });
  const target = gpuDevice.createBuffer({ size: 16, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  gpuDevice.queue.writeBuffer(source, 0, new Uint32Array([3, 1, 4, 1]));
  const encoder = gpuDevice.createCommandEncoder();
  encoder.copyBufferToBuffer(source, 0, target, 0, 16);
  gpuDevice.queue.submit([encoder.finish()]);
  await target.mapAsync(GPUMapMode.READ);
  const afterDispose = [...new Uint32Array(target.getMappedRange())];
  gpuDevice.destroy();
  return { launches, failures, afterDispose };
}

/** How a lost device answered: the class of the error of each call, or what came instead. */
export type LossFacts = Record<
  'pendingRead' | 'pendingSync' | 'lost' | 'laterRead' | 'laterSync' | 'laterUpload' | 'laterAlloc',
  string
>;

async function kindOfError(work: () => unknown): Promise<string> {
  try {
    await work();
    return 'no error';
  } catch (error) {
    return kindOf(error);
  }
}

function kindOf(error: unknown): string {
  if (error instanceof DeviceLostError) return 'DeviceLostError';
  return `another error: ${error instanceof Error ? error.message : String(error)}`;
}

/** Destroys a device while calls wait for it. `spec` gives it work that takes a while. */
export async function loseDevice(spec: KernelSpec): Promise<LossFacts> {
  const device = await createWebGpuDevice();
  const values = new Float32Array(1 << 20).fill(1);
  const buffer = device.from('fp32', values);
  const [testCase] = spec.bench;
  const buffers = Object.fromEntries(
    Object.entries(testCase!.buffers(new Random(1))).flatMap(([name, made]) => {
      if (!made) return [];
      return [[name, 'data' in made ? device.from(made.dtype, made.data) : device.alloc(made.dtype, made.length)]];
    }),
  );
  for (let launch = 0; launch < 200; launch++) device.launch(spec.kernel, { buffers, params: testCase!.params });
  const pendingRead = kindOfError(() => device.read(buffer));
  const pendingSync = kindOfError(() => device.sync());
  device.gpu.destroy();
  const facts = {
    pendingRead: await pendingRead,
    pendingSync: await pendingSync,
    lost: kindOf(await device.lost),
    laterRead: await kindOfError(() => device.read(buffer)),
    laterSync: await kindOfError(() => device.sync()),
    laterUpload: await kindOfError(() => device.upload(buffer, values)),
    laterAlloc: await kindOfError(() => device.alloc('fp32', 4)),
  };
  device.dispose();
  return facts;
}
