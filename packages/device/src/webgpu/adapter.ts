import { DeviceError } from '../errors.ts';
import { mayHaveVulkanDriver } from './vulkan-drivers.ts';

/** What creating a WebGPU device may be told. */
export interface AdapterOptions {
  powerPreference?: GPUPowerPreference;
  /**
   * Dawn toggles for Node, such as `vulkan_enable_f16_on_nvidia`; one that is to be off has a minus before it, such as
   * `-timestamp_quantization`. A browser refuses them.
   * Dawn reads toggles when its instance is made, so the first call in a process decides. Where that names none, those of the
   * environment variable `XLSTM_DAWN_TOGGLES` count, separated by commas.
   */
  toggles?: readonly string[];
}

interface NodeWebGpu {
  create(flags: string[]): GPU;
  globals: Record<string, unknown>;
}

let nodeGpu: Promise<GPU> | undefined;
let openedDawn: GPU | undefined;
let nodeToggles = '';

/** What `XLSTM_DAWN_TOGGLES` names, separated by commas, for programs that cannot be told otherwise. */
function environmentToggles(): readonly string[] {
  return (process.env.XLSTM_DAWN_TOGGLES ?? '')
    .split(',')
    .map((toggle) => toggle.trim())
    .filter((toggle) => toggle !== '');
}

/** Dawn's JavaScript process must hold on to the instance: a collected GPU object takes its devices with it. */
async function openDawn(toggles: readonly string[]): Promise<GPU> {
  // A variable keeps bundlers for browsers from following the import.
  const specifier = 'webgpu';
  let dawn: NodeWebGpu;
  try {
    dawn = (await import(/* @vite-ignore */ specifier)) as NodeWebGpu;
  } catch (cause) {
    throw new DeviceError(
      `webgpu: the package "webgpu" (Dawn for Node) could not be loaded (${reason(cause)}); install it, or use device cpu`,
      { cause },
    );
  }
  for (const [name, value] of Object.entries(dawn.globals)) {
    if (!(name in globalThis)) Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
  const off = toggles.filter((toggle) => toggle.startsWith('-')).map((toggle) => toggle.slice(1));
  const on = toggles.filter((toggle) => !toggle.startsWith('-'));
  openedDawn = dawn.create([
    ...(on.length > 0 ? [`enable-dawn-features=${on.join(',')}`] : []),
    ...(off.length > 0 ? [`disable-dawn-features=${off.join(',')}`] : []),
  ]);
  return openedDawn;
}

function isNode(): boolean {
  return typeof process !== 'undefined' && process.versions?.node !== undefined;
}

function reason(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).split('\n')[0]!;
}

/** The platform's entry to WebGPU: the browser's or Deno's `navigator.gpu`, else Dawn through Node's `webgpu`. */
export async function findGpu(toggles: readonly string[] = []): Promise<GPU> {
  const native = (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu;
  if (native) {
    if (toggles.length > 0) {
      throw new DeviceError(`webgpu: toggles (${toggles.join(', ')}) are Dawn's in Node; a browser has none`);
    }
    return native;
  }
  if (!isNode()) {
    throw new DeviceError(
      (globalThis as { isSecureContext?: boolean }).isSecureContext === false
        ? 'webgpu: browsers offer WebGPU in secure contexts only, and this page is not one; serve it over https or from localhost, or use device cpu'
        : 'webgpu: this environment has no navigator.gpu; use a browser with WebGPU, or device cpu',
    );
  }
  if (!mayHaveVulkanDriver()) {
    throw new DeviceError(
      "webgpu: no Vulkan driver is installed on this machine, so there is no GPU to use; install your GPU's driver, name a software one with VK_ICD_FILENAMES, or use device cpu",
    );
  }
  const wanted = [...toggles].sort().join(',');
  if (nodeGpu && wanted !== nodeToggles && wanted !== '') {
    throw new DeviceError(
      `webgpu: Dawn already runs in this process with toggles "${nodeToggles}"; ask for "${wanted}" at the first call`,
    );
  }
  if (!nodeGpu) {
    const given = toggles.length > 0 ? toggles : environmentToggles();
    nodeToggles = [...given].sort().join(',');
    nodeGpu = openDawn(given);
    nodeGpu.catch(() => {
      nodeGpu = undefined;
    });
  }
  return nodeGpu;
}

/** Extensions of WGSL that the platform in use understands, by their names; none before one has been found. */
export function languageFeatures(): ReadonlySet<string> {
  const gpu = (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu ?? openedDawn;
  return new Set(gpu?.wgslLanguageFeatures ?? []);
}

/** Asks for an adapter. @throws DeviceError that says why there is none. */
export async function requestAdapter(options: AdapterOptions = {}): Promise<GPUAdapter> {
  const gpu = await findGpu(options.toggles);
  let adapter: GPUAdapter | null;
  try {
    adapter = await gpu.requestAdapter({ powerPreference: options.powerPreference ?? 'high-performance' });
  } catch (cause) {
    throw new DeviceError(`webgpu: asking for an adapter failed (${reason(cause)}); use device cpu`, { cause });
  }
  if (!adapter) {
    throw new DeviceError(
      isNode()
        ? 'webgpu: no adapter: the system shows no usable GPU driver (Vulkan, Metal or D3D12); install a GPU driver, name a software one with VK_ICD_FILENAMES, or use device cpu'
        : 'webgpu: no adapter: the browser offers WebGPU but no GPU to go with it; turn on hardware acceleration in its settings, update the GPU driver (Chromium says at chrome://gpu what it lacks), or use device cpu',
    );
  }
  return adapter;
}

/** Names of software rasterisers: correct, and slower than our CPU device. */
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|basic render/i;

/** Whether an adapter computes on the CPU. */
export function isSoftwareAdapter(info: GPUAdapterInfo): boolean {
  if ((info as { isFallbackAdapter?: boolean }).isFallbackAdapter) return true;
  return SOFTWARE.test(`${info.vendor} ${info.architecture} ${info.device} ${info.description}`);
}
