import type { LaunchFacts, WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

type Facts = LaunchFacts<keyof typeof bindings, keyof typeof params>;

/** Heads of a workgroup of the serial form. */
const SERIAL_HEADS = 4;

const presence = ({ dtypes }: Facts): Record<string, number> => ({
  HAS_BIAS: dtypes.bias ? 1 : 0,
  HAS_GATE: dtypes.gate ? 1 : 0,
  HAS_DX: dtypes.dx ? 1 : 0,
  HAS_DGATE: dtypes.dgate ? 1 : 0,
  HAS_STATS: dtypes.stats ? 1 : 0,
});

/** A power of two of lanes that covers a head, from 8 to 256, and as many heads as make 64 of them. */
function shape(DH: number): { LANES: number; HEADS: number } {
  const LANES = Math.min(256, Math.max(8, 2 ** Math.ceil(Math.log2(Math.max(1, DH)))));
  return { LANES, HEADS: Math.max(1, 64 / LANES) };
}

export const headLayerNormBackwardWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'serial',
    code,
    needs: { software: true },
    constants: (facts) => ({ ...presence(facts), LANES: 1, HEADS: SERIAL_HEADS }),
    workgroups: ({ params: { rows, NH } }, limits) => spread(Math.ceil((rows * NH) / SERIAL_HEADS), limits),
  },
  {
    name: 'plain',
    code,
    constants: (facts) => ({ ...presence(facts), ...shape(facts.params.DH) }),
    workgroups: ({ params: { rows, NH, DH } }, limits) => spread(Math.ceil((rows * NH) / shape(DH).HEADS), limits),
  },
];
