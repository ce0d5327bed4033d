import { parseArgs } from 'node:util';
import { type KernelName, NewKernelError, parseKernelName } from './kernel-name.ts';

/** The packages that hold kernels. */
export const KERNEL_PACKAGES = ['tensor', 'mlstm-kernels'] as const;
export type KernelPackage = (typeof KERNEL_PACKAGES)[number];

/** What `npm run new-kernel` was asked for. */
export type NewKernelOptions = { help: true } | { help: false; name: KernelName; package: KernelPackage };

export const HELP: string = `npm run new-kernel -- NAME [--package ${KERNEL_PACKAGES.join('|')}]

Makes packages/PACKAGE/src/kernels/NAME/ with a small kernel (y = a · x) that is complete: equations, signature,
reference, WGSL, public function, spec, test and bench. Nothing else is touched. NAME is such as rms-norm.

  --package NAME  ${KERNEL_PACKAGES.join(' or ')} (default tensor)
  --help          this text
`;

function isKernelPackage(name: string): name is KernelPackage {
  return (KERNEL_PACKAGES as readonly string[]).includes(name);
}

function read(argv: readonly string[]): { values: { package?: string; help?: boolean }; positionals: string[] } {
  return parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: { package: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
  });
}

/**
 * Reads the command line.
 * @throws NewKernelError for a missing or bad name, an unknown package or option.
 */
export function parseOptions(argv: readonly string[]): NewKernelOptions {
  let parsed: ReturnType<typeof read>;
  try {
    parsed = read(argv);
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    throw new NewKernelError(`new-kernel: ${text}; see --help`, { cause });
  }
  const { values, positionals } = parsed;
  if (values.help) return { help: true };
  const [name, ...more] = positionals;
  if (name === undefined || more.length > 0) {
    throw new NewKernelError(`new-kernel: expected one name, got ${positionals.length}; see --help`);
  }
  const kernelPackage = values.package ?? 'tensor';
  if (!isKernelPackage(kernelPackage)) {
    throw new NewKernelError(
      `new-kernel: --package must be ${KERNEL_PACKAGES.join(' or ')}, got "${kernelPackage}"; kernels live there only`,
    );
  }
  return { help: false, name: parseKernelName(name), package: kernelPackage };
}
