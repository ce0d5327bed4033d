import { dtypeCode, type LaunchFacts, type WebGpuLimits, type WebGpuVariant } from '@xlstm/device';
import { spread } from '../../grid.ts';
import bindingsText from './bindings.wgsl';
import { integersVariant } from './integers.ts';
import plain from './kernel.plain.wgsl';
import subgroups from './kernel.subgroups.wgsl';
import { type RowsPlan, rowsText } from './rows-text.ts';
import sharedText from './shared.wgsl';
import { type bindings, EPILOGUES, PROLOGUES, type params } from './signature.ts';
import vectors from './vectors.wgsl';

type Variant = WebGpuVariant<keyof typeof bindings, keyof typeof params>;
type Facts = LaunchFacts<keyof typeof bindings, keyof typeof params>;

/** Outputs of a workgroup of the plain form. */
const PLAIN_OUTPUTS = 4;
/** Bytes of workgroup memory that sums may take beside a staged x. */
const SUMS_BYTES = 4096;

/** How WGSL names what the weights are; `dtypeCode` with the two quantised ones. */
function weightCode({ dtypes, params: { bits } }: Facts): number {
  if (dtypes.weight === 'u32') return bits === 8 ? 3 : 4;
  return dtypeCode(dtypes.weight);
}

/** Elements in 16 bytes. */
function elementsOf(facts: Facts): number {
  return [4, 8, 8, 16, 32][weightCode(facts)]!;
}

const shared = (facts: Facts): Record<string, number> => ({
  WEIGHT_DTYPE: weightCode(facts),
  PROLOGUE: facts.params.prologue,
  EPILOGUE: facts.params.epilogue,
});

/** How the vector form is laid out. */
export interface VectorPlan extends RowsPlan {
  /** Invocations of a workgroup. */
  threads: 64 | 128 | 256 | 512;
  /** Groups of rows in a workgroup; where it has more subgroups, they share K. */
  groups: number;
  /** Bytes of x that may be staged. */
  stageBytes: number;
  /** Launches that this is for, among those it can serve. */
  suits: (facts: Facts) => boolean;
}

const isAligned = ({ params: { K, gateOffset, gateStride } }: Facts): boolean =>
  K % 8 === 0 && gateOffset % 4 === 0 && gateStride % 4 === 0;

/** Vectors of x that an invocation normalises where it is done head by head. */
const blockOf = (K: number, threads: number): number => Math.max(1, Math.ceil(K / 4 / threads));

function canStage({ params: { K, prologue, heads } }: Facts, { threads, stageBytes }: VectorPlan): boolean {
  if (4 * K > stageBytes) return false;
  if (prologue !== PROLOGUES.headNorm) return true;
  const vectorsOfHead = K / heads / 4;
  return Number.isInteger(vectorsOfHead) && vectorsOfHead % blockOf(K, threads) === 0;
}

/** The vector form laid out as asked for. Exported for benches that try others. */
export function vectorVariant(name: string, plan: VectorPlan): Variant {
  const { rows, threads, staged, single } = plan;
  const outputs = ({ params: { epilogue } }: Facts) => (epilogue === EPILOGUES.swiglu ? rows / 2 : rows);
  const groups = (limits: WebGpuLimits) =>
    Math.max(1, Math.min(plan.groups, Math.floor(threads / limits.maxSubgroupSize)));
  return {
    name,
    code: `enable subgroups;\n${sharedText}\n${bindingsText}\n${vectors}\n${rowsText(plan)}\n${subgroups}`,
    needs: {
      features: ['subgroups'],
      minSubgroupSize: 4,
      invocationsPerWorkgroup: threads,
      ...(staged ? { workgroupStorageBytes: plan.stageBytes + SUMS_BYTES } : {}),
    },
    fits: (facts) =>
      isAligned(facts) &&
      facts.params.K % elementsOf(facts) === 0 &&
      (!single || facts.params.M === 1) &&
      (staged ? canStage(facts, plan) : facts.params.prologue !== PROLOGUES.headNorm) &&
      plan.suits(facts),
    constants: (facts, limits) => {
      const { M, K, group } = facts.params;
      const subgroupsAtMost = threads / limits.minSubgroupSize;
      return {
        ...shared(facts),
        ...(single ? {} : { ROWS: M }),
        THREADS: threads,
        GROUPS: groups(limits),
        OUTPUTS: outputs(facts),
        ELEMENTS: elementsOf(facts),
        SLOTS: subgroupsAtMost * M * rows,
        SUBGROUPS: subgroupsAtMost,
        STAGE_WORDS: staged ? K / 4 : 1,
        BLOCK: blockOf(K, threads),
        SCALED: group || 32,
      };
    },
    workgroups: (facts, limits) => {
      const { N, E } = facts.params;
      return spread(Math.ceil(N / (groups(limits) * outputs(facts))) + Math.ceil(E / groups(limits)), limits);
    },
  };
}

const KIB = 1024;
const always = (): boolean => true;

/** Weight rows of a launch; with many of them each is worth fewer lanes, and a workgroup more of them. */
const rowsOf = ({ params: { N, epilogue } }: Facts): number => (epilogue === EPILOGUES.swiglu ? 2 * N : N);
const FEW = 8192;
const MANY = 16384;
/** From here on a row is long: worth more lanes, or, where x is not staged, two subgroups. */
const LONG_K = 8192;

const single = { single: true, stageBytes: 0, staged: false } as const;
/** Bytes of x that are staged: of 4,096 elements with some room, and what fits into WebGPU's least workgroup memory. */
const [STAGE, SMALL_STAGE] = [28 * KIB, 12 * KIB];
const staged = { single: true, staged: true, stageBytes: STAGE } as const;

/** What `layouts.bench.ts` found fastest for the launches of a 7B decode step on an H200. */
export const fusedLinearWebGpu: readonly Variant[] = [
  integersVariant('integers-q8-long', {
    bits: 8,
    rows: 2,
    depth: 4,
    threads: 512,
    workgroups: 264,
    suits: ({ params: { K } }) => K >= LONG_K,
  }),
  integersVariant('integers-q8', { bits: 8, rows: 4, depth: 2, threads: 256, workgroups: 400 }),
  integersVariant('integers-q4-512', { bits: 4, rows: 2, depth: 4, threads: 512, workgroups: 264 }),
  integersVariant('integers-q4', { bits: 4, rows: 2, depth: 4, threads: 256, workgroups: 400 }),
  vectorVariant('staged-few', {
    ...staged,
    rows: 2,
    depth: 4,
    threads: 256,
    groups: 8,
    suits: (facts) => rowsOf(facts) < FEW,
  }),
  vectorVariant('staged-many', {
    ...staged,
    rows: 2,
    depth: 4,
    threads: 512,
    groups: 8,
    suits: (facts) => rowsOf(facts) >= MANY,
  }),
  vectorVariant('staged-512', { ...staged, rows: 4, depth: 2, threads: 512, groups: 8, suits: always }),
  // For adapters with smaller workgroups, or less memory for them.
  vectorVariant('staged', { ...staged, rows: 4, depth: 2, threads: 256, groups: 8, suits: always }),
  vectorVariant('staged-small', {
    ...staged,
    stageBytes: SMALL_STAGE,
    rows: 4,
    depth: 2,
    threads: 256,
    groups: 8,
    suits: always,
  }),
  vectorVariant('long', {
    ...single,
    rows: 4,
    depth: 2,
    threads: 256,
    groups: 4,
    suits: ({ params: { K } }) => K >= LONG_K,
  }),
  vectorVariant('vectors', { ...single, rows: 4, depth: 2, threads: 256, groups: 8, suits: always }),
  vectorVariant('rows', {
    ...single,
    single: false,
    rows: 4,
    depth: 1,
    threads: 256,
    groups: 8,
    suits: ({ params: { M } }) => M > 1,
  }),
  {
    name: 'plain',
    code: `${sharedText}\n${plain}`,
    constants: shared,
    workgroups: ({ params: { N, E } }, limits) =>
      spread(Math.ceil(N / PLAIN_OUTPUTS) + Math.ceil(E / PLAIN_OUTPUTS), limits),
  },
];
