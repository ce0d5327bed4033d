import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Kernel, WebGpuDevice } from '@xlstm/device';
import { describe, expect, it } from 'vitest';
import { describeDevices } from './test-kernel.ts';

/** WGSL `enable` extensions and the WebGPU features that they need. */
const FEATURE_OF: Readonly<Record<string, string>> = {
  f16: 'shader-f16',
  subgroups: 'subgroups',
  chromium_experimental_subgroup_matrix: 'chromium-experimental-subgroup-matrix',
};

const packagesFolder = fileURLToPath(new URL('../../../packages/', import.meta.url));

/** Every shader of the published packages, by its path from packages/. */
const shaders = readdirSync(packagesFolder)
  .filter((name) => existsSync(join(packagesFolder, name, 'src')))
  .flatMap((name) =>
    readdirSync(join(packagesFolder, name, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.wgsl'))
      .map((file) => join(name, 'src', file)),
  )
  .sort();

function isKernel(value: unknown): value is Kernel {
  return typeof value === 'object' && value !== null && 'id' in value && 'bindings' in value && 'params' in value;
}

async function kernelsOf(module: string): Promise<Set<Kernel>> {
  const exported: unknown = await import(/* @vite-ignore */ pathToFileURL(module).href);
  return new Set(Object.values(exported as Record<string, unknown>).filter(isKernel));
}

function packageIndex(path: string): string {
  return join(packagesFolder, path.split(/[\\/]/)[0]!, 'src', 'index.ts');
}

/** Where a shader's kernels are exported: its folder's index.ts, or the package's for a part that kernels share. */
function indexFor(path: string, text: string): string {
  const beside = join(packagesFolder, dirname(path), 'index.ts');
  return entryPoints(text).length > 0 && existsSync(beside) ? beside : packageIndex(path);
}

/** The kernels whose WGSL holds this text, alone or with a prelude. */
async function kernelsWith(path: string, text: string): Promise<Kernel[]> {
  const kernels = await kernelsOf(indexFor(path, text));
  return [...kernels].filter((kernel) => codesWith(kernel, path, text).length > 0);
}

/** Forms made from a template hold its entry point, not its text. */
function codesWith(kernel: Kernel, path: string, text: string): string[] {
  const codes = (kernel.webgpu ?? []).map(({ code }) => code);
  if (path.endsWith('.template.wgsl')) return codes.filter((code) => `${entryPoints(code)}` === `${entryPoints(text)}`);
  return codes.filter((code) => code.includes(text));
}

/** Comments hold words like `enable` and `fn` too. */
function withoutComments(code: string): string {
  return code.replace(/\/\/.*$/gm, '').replace(/\/\*[\s\S]*?\*\//g, '');
}

function missingFeatures(code: string, device: WebGpuDevice): string[] {
  const extensions = [...withoutComments(code).matchAll(/^\s*enable\s+([^;]+);/gm)].flatMap((match) =>
    match[1]!.split(',').map((name) => name.trim()),
  );
  return extensions
    .map((name) => FEATURE_OF[name] ?? name)
    .filter((feature) => !device.gpu.features.has(feature as GPUFeatureName));
}

function entryPoints(code: string): string[] {
  return [...withoutComments(code).matchAll(/@compute\b[^{]*?\bfn\s+(\w+)/g)].map((match) => match[1]!);
}

it('there are shaders to check', () => {
  expect(shaders).toContain(join('tensor', 'src', 'kernels', 'rms-norm', 'kernel.wgsl'));
});

for (const path of shaders) {
  const text = readFileSync(join(packagesFolder, path), 'utf8');

  describe(path, () => {
    it("belongs to its folder's kernel, under the kernel's id", async () => {
      const using = await kernelsWith(path, text);
      expect(using, `no kernel exported by ${relative(packagesFolder, indexFor(path, text))} runs it`).not.toEqual([]);
      for (const kernel of using) {
        for (const code of codesWith(kernel, path, text)) expect(entryPoints(code)).toEqual([kernel.id]);
      }
    });
  });
}

await describeDevices(
  'compiles',
  (device) => {
    const webgpu = device as WebGpuDevice;
    for (const path of shaders) {
      const text = readFileSync(join(packagesFolder, path), 'utf8');
      const missing = missingFeatures(text, webgpu);
      if (missing.length > 0) {
        it.skip(`${path}: not compiled, ${device.name} lacks ${missing.join(', ')}`, () => {});
        continue;
      }
      it(path, async ({ skip }) => {
        const codes = (await kernelsWith(path, text)).flatMap((kernel) => codesWith(kernel, path, text));
        const all = codes.length > 0 ? [...new Set(codes)] : [text];
        const lacking = new Set(all.flatMap((code) => missingFeatures(code, webgpu)));
        const possible = all.filter((code) => missingFeatures(code, webgpu).length === 0);
        if (possible.length === 0) skip(`not compiled, ${device.name} lacks ${[...lacking].join(', ')}`);
        for (const code of possible) {
          webgpu.gpu.pushErrorScope('validation');
          const info = await webgpu.gpu.createShaderModule({ label: path, code }).getCompilationInfo();
          await webgpu.gpu.popErrorScope();
          const lines = info.messages.map(
            ({ type, lineNum, linePos, message }) => `${type} ${path}:${lineNum}:${linePos} ${message}`,
          );
          const errors = info.messages.filter(({ type }) => type === 'error');
          if (lines.length > errors.length) console.warn(lines.join('\n'));
          expect(errors.length, lines.join('\n')).toBe(0);
        }
      });
    }
  },
  ['webgpu'],
);
