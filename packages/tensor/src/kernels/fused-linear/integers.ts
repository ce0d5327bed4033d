import type { LaunchFacts, WebGpuLimits, WebGpuVariant } from '@xlstm/device';
import { expandLoops } from '../../expand-loops.ts';
import { spread } from '../../grid.ts';
import bindingsText from './bindings.wgsl';
import template from './kernel.integers.template.wgsl';
import sharedText from './shared.wgsl';
import { type bindings, EPILOGUES, PROLOGUES, type params } from './signature.ts';

type Variant = WebGpuVariant<keyof typeof bindings, keyof typeof params>;
type Facts = LaunchFacts<keyof typeof bindings, keyof typeof params>;

/** How the form with integer products is laid out. */
export interface IntegersPlan {
  bits: 8 | 4;
  /** Weight rows whose sums a lane keeps; even. */
  rows: 2 | 4 | 8;
  /** Chunks of each of them that a lane asks for at once. */
  depth: 1 | 2 | 4;
  /** Invocations of a workgroup. */
  threads: 128 | 256 | 512;
  /** Workgroups that are enough: where there would be more, each makes several sets of rows with the x it has made ready. */
  workgroups: number;
  /** Launches that this is for, among those it can serve. */
  suits?: (facts: Facts) => boolean;
}

/** Bytes of workgroup memory that x of K elements takes as integers, with its scales. */
const stagedBytes = (K: number): number => 2 * K + K / 8;
/** Bytes that all else takes at most. */
const OTHER_BYTES = 4096;
/** The longest x: 14,336 elements, about what 32 KiB hold beside all else. */
const STAGE_BYTES = 28 * 1024 + 2048;
const MOST_HEADS = 64;

function canNormHeads({ params: { K, heads, gateOffset, E } }: Facts): boolean {
  // Eight neighbours are in one head.
  return E === 0 && heads <= MOST_HEADS && gateOffset % 4 === 0 && K % (8 * heads) === 0;
}

/** The form with integer products, laid out as asked for. Exported for benches that try others. */
export function integersVariant(name: string, plan: IntegersPlan): Variant {
  const { bits, rows, depth, threads } = plan;
  const outputs = ({ params: { epilogue } }: Facts) => (epilogue === EPILOGUES.swiglu ? rows / 2 : rows);
  const subgroups = ({ maxSubgroupSize }: WebGpuLimits) => Math.max(1, Math.floor(threads / maxSubgroupSize));
  const turns = (facts: Facts, limits: WebGpuLimits) => {
    const sets = Math.ceil(facts.params.N / (outputs(facts) * subgroups(limits)));
    return Math.max(1, Math.floor(sets / plan.workgroups));
  };
  const layout = { BITS: bits, ROW_COUNT: rows, DEPTH: depth, THREADS: threads };
  const constants = Object.entries(layout).map(([key, value]) => `const ${key} = ${value}u;\n`);
  const counts = { ROW_COUNT: rows, DEPTH: depth, PAIRS: 16 / bits };
  return {
    name,
    code: `enable subgroups;\n${sharedText}\n${bindingsText}\n${constants.join('')}${expandLoops(template, counts)}`,
    needs: {
      features: ['subgroups'],
      packedDot: true,
      minSubgroupSize: Math.max(4, rows), // a lane stores an output
      invocationsPerWorkgroup: threads,
      workgroupStorageBytes: STAGE_BYTES,
    },
    fits: (facts) => {
      const { M, K, bits: weightBits, prologue } = facts.params;
      return (
        M === 1 &&
        weightBits === bits &&
        K % 32 === 0 &&
        stagedBytes(K) + OTHER_BYTES <= STAGE_BYTES &&
        (prologue !== PROLOGUES.headNorm || canNormHeads(facts)) &&
        (plan.suits?.(facts) ?? true)
      );
    },
    constants: (facts, limits) => {
      const { K, group, heads, prologue, epilogue } = facts.params;
      return {
        PROLOGUE: prologue,
        EPILOGUE: epilogue,
        K,
        SUBGROUPS: Math.ceil(threads / limits.minSubgroupSize),
        HEADS: prologue === PROLOGUES.headNorm ? heads : 1,
        SCALED: group,
        TURNS: turns(facts, limits),
        OUTPUTS: outputs(facts),
      };
    },
    workgroups: (facts, limits) => {
      const { N, E } = facts.params;
      const each = outputs(facts) * subgroups(limits) * turns(facts, limits);
      return spread(Math.ceil(N / each) + Math.ceil(E / subgroups(limits)), limits);
    },
  };
}
