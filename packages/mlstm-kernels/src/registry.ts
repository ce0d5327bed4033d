import { type Arena, OptionError } from '@xlstm/device';
import type { MlstmBackwardInputs, MlstmGradients } from './backward-inputs.ts';
import type { MlstmInputs, MlstmOptions } from './inputs.ts';
import { mlstmChunkwise } from './ops/mlstm-chunkwise.ts';
import { mlstmChunkwiseBackward } from './ops/mlstm-chunkwise-backward.ts';
import { mlstmParallel } from './ops/mlstm-parallel.ts';
import { mlstmParallelBackward } from './ops/mlstm-parallel-backward.ts';
import { mlstmRecurrent, mlstmStep } from './ops/mlstm-recurrent.ts';
import type { MlstmShape } from './shape.ts';

/** What every form of the cell can be called as. */
export type MlstmKernel = (arena: Arena, shape: MlstmShape, inputs: MlstmInputs, options?: MlstmOptions) => void;

/** What every backward form of the cell can be called as. */
export type MlstmBackward = (
  arena: Arena,
  shape: MlstmShape,
  inputs: MlstmBackwardInputs,
  gradients: MlstmGradients,
  options?: MlstmOptions & { accumulate?: boolean },
) => void;

/** Forms by name: how the sequence is taken, then how it is implemented. */
const KERNELS: Readonly<Record<string, MlstmKernel>> = {
  'chunkwise--two-pass': mlstmChunkwise,
  'parallel--naive': mlstmParallel,
  'recurrent--step': (arena, shape, inputs, options) => mlstmRecurrent(arena.device, shape, inputs, options),
  'step--fused': (arena, shape, inputs, options) => mlstmStep(arena.device, shape, inputs, options),
};

/** Backward forms by the same names; a form without one keeps no readout. */
const BACKWARDS: Readonly<Record<string, MlstmBackward>> = {
  'chunkwise--two-pass': mlstmChunkwiseBackward,
  'parallel--naive': mlstmParallelBackward,
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

/**
 * The backward form of the mLSTM cell by its forward form's name; any of them may follow any forward form that kept a
 * readout.
 *
 * @throws OptionError for a name that is unknown or has no backward form.
 * @example
 * ```ts
 * selectMlstmBackward('chunkwise--two-pass')(arena, shape, inputs, gradients, { gate: 'exp' })
 * ```
 */
export function selectMlstmBackward(name: string): MlstmBackward {
  const backward = Object.hasOwn(BACKWARDS, name) ? BACKWARDS[name] : undefined;
  if (!backward) {
    throw new OptionError(
      `selectMlstmBackward: ${JSON.stringify(name)} has no backward form; pick one of ${Object.keys(BACKWARDS).join(', ')}`,
    );
  }
  return backward;
}
