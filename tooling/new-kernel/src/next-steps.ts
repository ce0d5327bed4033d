import type { KernelName } from './kernel-name.ts';
import type { KernelPackage } from './options.ts';

/** What is printed after a kernel was made. */
export function nextSteps({ camel, kebab }: KernelName, kernelPackage: KernelPackage): string {
  const source = `packages/${kernelPackage}/src`;
  const folder = `${source}/kernels/${kebab}`;
  return `Made ${folder}, a complete kernel that computes y = a · x. Next:

  1. README.md, signature.ts: your equations, buffers and parameters
  2. reference.ts: the same, naive and in float64
  3. spec.ts: odd sizes, extremes, tolerances, what is timed
  4. kernel.wgsl, webgpu.ts: the shader and its grid
  5. index.ts: checks, documentation; export ${camel} and ${camel}Kernel from ${source}/index.ts
  6. npm test -- ${folder}
  7. npm run bench -- ${kebab}, then npm run changeset

CONTRIBUTING.md says more about each.
`;
}
