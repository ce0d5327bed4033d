import type { LaunchFacts, WebGpuLimits, WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import code from './kernel.wgsl';
import type { bindings, params } from './signature.ts';

type Facts = LaunchFacts<keyof typeof bindings, keyof typeof params>;

const THREADS = 256;
/** As few as a word of marks takes: barriers cost a software adapter the more the wider the workgroup is. */
const NARROW_THREADS = 8;
/** Workgroups that keep a large GPU busy; each goes through all ids, so a large vocabulary has one an id. */
const BUSY = 4096;

function workgroups({ params: { V, D } }: Facts, limits: WebGpuLimits, threads: number) {
  const [x, y] = spread(V, limits);
  const blocks = Math.ceil(D / threads);
  return [x, y, Math.max(1, Math.min(blocks, Math.floor(BUSY / Math.max(1, V))))] as const;
}

export const embeddingBackwardWebGpu: readonly WebGpuVariant<keyof typeof bindings, keyof typeof params>[] = [
  {
    name: 'narrow',
    code,
    needs: { software: true },
    constants: () => ({ THREADS: NARROW_THREADS, WORDS: NARROW_THREADS / 8 }),
    workgroups: ({ params: { V } }, limits) => spread(V, limits),
  },
  {
    name: 'plain',
    code,
    constants: () => ({ THREADS, WORDS: THREADS / 8 }),
    workgroups: (facts, limits) => workgroups(facts, limits, THREADS),
  },
];
