import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type KernelName, NewKernelError } from './kernel-name.ts';
import { KERNEL_PACKAGES, type KernelPackage } from './options.ts';

/** A template is a working kernel folder called example-scale; only its name is replaced. */
function fill(text: string, { kebab, snake, camel }: KernelName): string {
  return text.replaceAll('example-scale', kebab).replaceAll('example_scale', snake).replaceAll('exampleScale', camel);
}

function readTemplates(folder: string): [name: string, text: string][] {
  return readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]);
}

/**
 * Writes the kernel's folder and returns its path from the root. Ids are unique over all packages, so a folder of that
 * name in any of them is refused, before anything is written.
 * @throws NewKernelError when there is one.
 */
export function createKernel(root: string, templates: string, name: KernelName, kernelPackage: KernelPackage): string {
  for (const other of KERNEL_PACKAGES) {
    const folder = `packages/${other}/src/kernels/${name.kebab}`;
    if (existsSync(join(root, folder))) {
      throw new NewKernelError(`new-kernel: ${folder} exists already, and a kernel's id is unique; take another name`);
    }
  }
  const files = [...readTemplates(join(templates, 'common')), ...readTemplates(join(templates, kernelPackage))];
  const folder = `packages/${kernelPackage}/src/kernels/${name.kebab}`;
  mkdirSync(join(root, folder), { recursive: true });
  for (const [file, text] of files) writeFileSync(join(root, folder, file), fill(text, name), { flag: 'wx' });
  return folder;
}
