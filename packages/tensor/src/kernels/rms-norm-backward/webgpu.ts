import type { LaunchFacts, WebGpuVariant } from '@xlstm/device';
import { spread, threadsForRow } from '../../grid.ts';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

type Facts = LaunchFacts<keyof typeof bindings, keyof typeof params>;

/** Rows of a workgroup of the serial form. */
const SERIAL_ROWS = 4;

const outputs = ({ dtypes }: Facts): Record<string, number> => ({
  HAS_DX: dtypes.dx ? 1 : 0,
  HAS_STATS: dtypes.stats ? 1 : 0,
});

export const rmsNormBackwardWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'serial',
    code,
    needs: { software: true },
    constants: (facts) => ({ ...outputs(facts), LANES: 1, ROWS: SERIAL_ROWS }),
    workgroups: ({ params: { rows } }, limits) => spread(Math.ceil(rows / SERIAL_ROWS), limits),
  },
  {
    name: 'plain',
    code,
    constants: (facts, limits) => ({
      ...outputs(facts),
      LANES: Math.min(256, threadsForRow(facts.params.D, limits)),
    }),
    workgroups: ({ params: { rows } }, limits) => spread(rows, limits),
  },
];
