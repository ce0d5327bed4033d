import type { LaunchFacts, WebGpuVariant } from '@xlstm/device';
import { spread, threadsForRow } from '../../grid.ts';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

/** One subgroup of a software adapter, for which a barrier costs the more the wider the workgroup is. */
const NARROW_THREADS = 4;

const present = ({ dtypes }: LaunchFacts<keyof typeof bindings, keyof typeof params>): Record<string, number> => ({
  GRADIENT: dtypes.count ? 1 : 0,
  HAS_SCALE: dtypes.scale ? 1 : 0,
});

export const crossEntropyWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'narrow',
    code,
    needs: { software: true },
    constants: (facts) => ({ ...present(facts), THREADS: NARROW_THREADS }),
    workgroups: ({ params: { rows } }, limits) => spread(rows, limits),
  },
  {
    name: 'plain',
    code,
    constants: (facts, limits) => ({ ...present(facts), THREADS: threadsForRow(facts.params.V, limits) }),
    workgroups: ({ params: { rows } }, limits) => spread(rows, limits),
  },
];
