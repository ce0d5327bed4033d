import { type Arena, OptionError } from '@xlstm/device';
import type { MlstmInputs, MlstmOptions } from './inputs.ts';
import { mlstmChunkwise } from './ops/mlstm-chunkwise.ts';
import { mlstmParallel } from './ops/mlstm-parallel.ts';
import { mlstmRecurrent, mlstmStep } from './ops/mlstm-recurrent.ts';
import type { MlstmShape } from './shape.ts';

/** What every form of the cell can be called as. */
export type MlstmKernel = (arena: Arena, shape: MlstmShape, inputs: MlstmInputs, options?: MlstmOptions) => void;

/** Forms by name: how the sequence is taken, then how it is implemented. */
const KERNELS: Readonly<Record<string, MlstmKernel>> = {
  'chunkwise--two-pass': mlstmChunkwise,
  'parallel--naive': mlstmParallel,
  'recurrent--step': (arena, shape, inputs, options) => mlstmRecurrent(arena.device, shape, inputs, options),
  'step--fused': (arena, shape, inputs, options) => mlstmStep(arena.device, shape, inputs, options),
};

/** The names that `selectMlstmKernel` knows. */
export function mlstmKernelNames(): readonly string[] {
  return Object.keys(KERNELS);
}

/**
 * A form of the mLSTM cell by name, all with one signature; `step--fused` takes one step, the others any number.
 *
 * @throws OptionError for an unknown name.
 * @example
 * ```ts
 * selectMlstmKernel('chunkwise--two-pass')(arena, shape, inputs, { gate: 'exp' })
 * ```
 */
export function selectMlstmKernel(name: string): MlstmKernel {
  const kernel = Object.hasOwn(KERNELS, name) ? KERNELS[name] : undefined;
  if (!kernel) {
    throw new OptionError(
      `selectMlstmKernel: no kernel is called ${JSON.stringify(name)}; pick one of ${mlstmKernelNames().join(', ')}`,
    );
  }
  return kernel;
}
