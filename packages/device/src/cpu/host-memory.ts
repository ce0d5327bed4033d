/** The parts of Node and of browsers that this file uses; typed here so that bundles for browsers need none of Node. */
interface Host {
  process?: {
    getBuiltinModule?: (name: 'node:os') => { totalmem(): number };
    /** A control group's limit; 0, undefined or more than there is where none is set. */
    constrainedMemory?: () => number | undefined;
  };
  navigator?: { deviceMemory?: number };
}

/** Browsers say no more than this, in GiB, to give away less of whom they serve. */
const BROWSERS_MOST = 8;

/**
 * How many bytes this machine can give to one process at the very most: in Node all its memory, or what its container may
 * use. A browser rounds to a power of two, so twice what it says is a bound, and what says its largest value says nothing.
 */
export function hostMemoryBytes(host: Host = globalThis as unknown as Host): number | undefined {
  const { process, navigator } = host;
  const system = process?.getBuiltinModule?.('node:os');
  if (system) {
    const total = system.totalmem();
    const allowed = process?.constrainedMemory?.() || total;
    return Math.min(total, allowed);
  }
  const said = navigator?.deviceMemory;
  return said !== undefined && said < BROWSERS_MOST ? 2 * said * 2 ** 30 : undefined;
}
