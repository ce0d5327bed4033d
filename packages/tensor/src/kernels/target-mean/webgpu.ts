import type { LaunchFacts, WebGpuVariant } from '@xlstm/device';
import { threadsForRow } from '../../grid.ts';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

/** One subgroup of a software adapter, for which a barrier costs the more the wider the workgroup is. */
const NARROW_THREADS = 4;

const HAS_LOSSES = ({ dtypes }: LaunchFacts<keyof typeof bindings, keyof typeof params>): number =>
  dtypes.losses ? 1 : 0;

export const targetMeanWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'narrow',
    code,
    needs: { software: true },
    constants: (facts) => ({ HAS_LOSSES: HAS_LOSSES(facts), THREADS: NARROW_THREADS }),
    workgroups: () => [1, 1, 1],
  },
  {
    name: 'plain',
    code,
    constants: (facts, limits) => ({ HAS_LOSSES: HAS_LOSSES(facts), THREADS: threadsForRow(facts.params.T, limits) }),
    workgroups: () => [1, 1, 1],
  },
];
