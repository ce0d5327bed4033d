import { DeviceError } from '../errors.ts';
import type { Kernel, LaunchFacts, WebGpuLimits, WebGpuVariant } from '../kernel.ts';
import { ALL_ERRORS, type ErrorWatch } from './error-watch.ts';
import { meetsNeeds } from './limits.ts';

/** A kernel form made ready on one GPU. */
export interface PreparedKernel {
  pipeline: GPUComputePipeline;
  layout: GPUBindGroupLayout;
}

/** Chooses among a kernel's WGSL forms and keeps what has been compiled, per form and constants. */
export class PipelineCache {
  readonly #device: GPUDevice;
  readonly #limits: WebGpuLimits;
  readonly #watch: ErrorWatch;
  readonly #layouts = new Map<Kernel, GPUBindGroupLayout>();
  readonly #modules = new Map<WebGpuVariant, GPUShaderModule>();
  readonly #pipelines = new Map<WebGpuVariant, Map<string, PreparedKernel>>();

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

  prepare(kernel: Kernel, variant: WebGpuVariant, facts: LaunchFacts): PreparedKernel {
    const constants = variant.constants?.(facts, this.#limits) ?? {};
    const key = Object.entries(constants)
      .map(([name, value]) => `${name}=${value}`)
      .join();
    let known = this.#pipelines.get(variant);
    if (!known) {
      known = new Map();
      this.#pipelines.set(variant, known);
    }
    let prepared = known.get(key);
    if (!prepared) {
      const label = `${kernel.id} (${variant.name}${key ? `, ${key}` : ''})`;
      prepared = this.#watch.guard(() => this.#compile(kernel, variant, label, constants), ALL_ERRORS);
      known.set(key, prepared);
    }
    return prepared;
  }

  #compile(
    kernel: Kernel,
    variant: WebGpuVariant,
    label: string,
    constants: Readonly<Record<string, number>>,
  ): PreparedKernel {
    const layout = this.#layoutOf(kernel);
    const pipeline = this.#device.createComputePipeline({
      label,
      layout: this.#device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module: this.#moduleOf(kernel, variant), entryPoint: kernel.id, constants },
    });
    return { pipeline, layout };
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
