import { DeviceError } from '../errors.ts';
import type { Kernel, LaunchFacts, WebGpuLimits, WebGpuVariant } from '../kernel.ts';
import { ALL_ERRORS, type ErrorWatch } from './error-watch.ts';
import { meetsNeeds } from './limits.ts';

/** A kernel form made ready on one GPU. */
export interface PreparedKernel {
  pipeline: GPUComputePipeline;
  layout: GPUBindGroupLayout;
}

/** What a launch compiles: a form of a kernel with its constants. */
export interface PipelineRequest {
  kernel: Kernel;
  variant: WebGpuVariant;
  constants: Readonly<Record<string, number>>;
  /** The constants in words: what pipelines of one form differ by. */
  key: string;
}

/**
 * Chooses among a kernel's WGSL forms and keeps what has been compiled, per form and constants. What was not prepared ahead
 * is compiled when a launch needs it.
 */
export class PipelineCache {
  readonly #device: GPUDevice;
  readonly #limits: WebGpuLimits;
  readonly #watch: ErrorWatch;
  readonly #layouts = new Map<Kernel, GPUBindGroupLayout>();
  readonly #modules = new Map<WebGpuVariant, GPUShaderModule>();
  readonly #pipelines = new Map<WebGpuVariant, Map<string, PreparedKernel>>();
  /** Compilations under way, which all who ask meanwhile share. They resolve with what went wrong and never reject. */
  readonly #compiling = new Map<WebGpuVariant, Map<string, Promise<DeviceError | undefined>>>();
  #compiled = 0;

  constructor(device: GPUDevice, limits: WebGpuLimits, watch: ErrorWatch) {
    this.#device = device;
    this.#limits = limits;
    this.#watch = watch;
  }

  /** The forms of a kernel that this adapter can run, best first. */
  available(kernel: Kernel): readonly WebGpuVariant[] {
    return (kernel.webgpu ?? []).filter((variant) => meetsNeeds(this.#device, this.#limits, variant.needs));
  }

  choose(kernel: Kernel, facts: LaunchFacts, name: string | undefined): WebGpuVariant {
    const available = this.available(kernel);
    const chosen = available.find(
      (variant) => (name === undefined || variant.name === name) && (variant.fits?.(facts) ?? true),
    );
    if (chosen) return chosen;
    const known = (kernel.webgpu ?? []).map((variant) => variant.name).join(', ') || 'none';
    throw new DeviceError(
      `${kernel.id}: no WGSL form ${name ? `"${name}" ` : ''}fits this adapter and launch (forms: ${known}; usable here: ${available.map((variant) => variant.name).join(', ') || 'none'}); change the shape or use device cpu`,
    );
  }

  /** Pipelines compiled so far. */
  get compiled(): number {
    return this.#compiled;
  }

  request(kernel: Kernel, variant: WebGpuVariant, facts: LaunchFacts): PipelineRequest {
    const constants = variant.constants?.(facts, this.#limits) ?? {};
    const key = Object.entries(constants)
      .map(([name, value]) => `${name}=${value}`)
      .join();
    return { kernel, variant, constants, key };
  }

  /** The pipeline of a launch; compiled now, while the caller waits, unless it is there. */
  get(request: PipelineRequest): PreparedKernel {
    const known = entriesOf(this.#pipelines, request.variant);
    let prepared = known.get(request.key);
    if (!prepared) {
      prepared = this.#watch.guard(() => this.#compile(request), ALL_ERRORS);
      known.set(request.key, prepared);
    }
    return prepared;
  }

  /** Compiles what is missing, all at once. Resolves with the first thing that went wrong; what went well is kept. */
  async compileAll(requests: Iterable<PipelineRequest>): Promise<DeviceError | undefined> {
    const waits: Promise<DeviceError | undefined>[] = [];
    for (const request of requests) {
      const { variant, key } = request;
      if (this.#pipelines.get(variant)?.has(key)) continue;
      const compiling = entriesOf(this.#compiling, variant);
      let wait = compiling.get(key);
      if (!wait) {
        wait = this.#compileAhead(request).finally(() => compiling.delete(key));
        compiling.set(key, wait);
      }
      waits.push(wait);
    }
    return (await Promise.all(waits)).find((failure) => failure !== undefined);
  }

  #compile(request: PipelineRequest): PreparedKernel {
    this.#compiled++;
    const layout = this.#layoutOf(request.kernel);
    return { pipeline: this.#device.createComputePipeline(this.#descriptor(request, layout)), layout };
  }

  async #compileAhead(request: PipelineRequest): Promise<DeviceError | undefined> {
    this.#compiled++;
    const { kernel, variant, key } = request;
    const name = labelOf(request);
    // A module that is wrong is told to a scope; the pipeline then says no more than that its module is invalid.
    this.#device.pushErrorScope('validation');
    const layout = this.#layoutOf(kernel);
    const making = this.#device.createComputePipelineAsync(this.#descriptor(request, layout));
    const scope = this.#device.popErrorScope().catch(() => null);
    try {
      const pipeline = await making;
      const known = entriesOf(this.#pipelines, variant);
      // A launch that could not wait may have compiled it meanwhile.
      if (!known.has(key)) known.set(key, { pipeline, layout });
      return undefined;
    } catch (cause) {
      this.#modules.delete(variant);
      const told = await scope;
      const text = told?.message ?? (cause instanceof Error ? cause.message : String(cause));
      return new DeviceError(`prepare: ${name} does not compile: ${text}`, { cause });
    }
  }

  #descriptor(request: PipelineRequest, layout: GPUBindGroupLayout): GPUComputePipelineDescriptor {
    const { kernel, variant, constants } = request;
    return {
      label: labelOf(request),
      layout: this.#device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module: this.#moduleOf(kernel, variant), entryPoint: kernel.id, constants },
    };
  }

  #moduleOf(kernel: Kernel, variant: WebGpuVariant): GPUShaderModule {
    let module = this.#modules.get(variant);
    if (!module) {
      module = this.#device.createShaderModule({ label: `${kernel.id} (${variant.name})`, code: variant.code });
      this.#modules.set(variant, module);
    }
    return module;
  }

  #layoutOf(kernel: Kernel): GPUBindGroupLayout {
    let layout = this.#layouts.get(kernel);
    if (!layout) {
      const bindings = Object.values(kernel.bindings);
      const entries: GPUBindGroupLayoutEntry[] = bindings.map(({ access }, binding) => ({
        binding,
        visibility: 4, // GPUShaderStage.COMPUTE
        buffer: { type: access === 'read' ? 'read-only-storage' : 'storage' },
      }));
      if (Object.keys(kernel.params).length > 0) {
        entries.push({ binding: bindings.length, visibility: 4, buffer: { type: 'uniform' } });
      }
      layout = this.#device.createBindGroupLayout({ label: kernel.id, entries });
      this.#layouts.set(kernel, layout);
    }
    return layout;
  }
}

function labelOf({ kernel, variant, key }: PipelineRequest): string {
  return `${kernel.id} (${variant.name}${key ? `, ${key}` : ''})`;
}

/** A variant's entries in a two-level map, made at the first call. */
function entriesOf<T>(map: Map<WebGpuVariant, Map<string, T>>, variant: WebGpuVariant): Map<string, T> {
  let entries = map.get(variant);
  if (!entries) {
    entries = new Map();
    map.set(variant, entries);
  }
  return entries;
}
