import type { LaunchFacts, WebGpuVariant } from '@xlstm/device';
import { expandLoops } from '../../expand-loops.ts';
import { spread } from '../../grid.ts';
import code from './kernel.template.wgsl';
import type { bindings, params } from './signature.ts';
import { loopCounts, type Tiles, threadsOf, tileBytes, tileConstants } from './tiles.ts';
import half from './weights.half.wgsl';
import q4 from './weights.q4.wgsl';
import q8 from './weights.q8.wgsl';

type Facts = LaunchFacts<keyof typeof bindings, keyof typeof params>;
type Variant = WebGpuVariant<keyof typeof bindings, keyof typeof params>;

const EXTENSIONS = `enable f16;
enable subgroups;
enable chromium_experimental_subgroup_matrix;
`;

/** What the elements of b may be, and the text that reads them. */
export const WEIGHTS: Readonly<Record<WeightKind, string>> = { half, q8, q4 };
export type WeightKind = 'half' | 'q8' | 'q4';

const MANY_ROWS: Tiles = { m: 128, n: 128, k: 32, subgroupsM: 2, subgroupsN: 2, subgroupsK: 1 };
const SIXTY_FOUR_ROWS: Tiles = { m: 64, n: 32, k: 128, subgroupsM: 2, subgroupsN: 1, subgroupsK: 4 };
const THIRTY_TWO_ROWS: Tiles = { m: 32, n: 32, k: 256, subgroupsM: 1, subgroupsN: 1, subgroupsK: 8 };

function kindOf({ params: { bits }, dtypes }: Facts): WeightKind | undefined {
  if (dtypes.b === 'fp16' || dtypes.b === 'bf16') return bits === 0 ? 'half' : undefined;
  return bits === 8 ? 'q8' : bits === 4 ? 'q4' : undefined;
}

/** Elements of a square of sums, which y must at least hold to be bound. */
const SQUARE = 256;

/** Whether y holds a square, and rows can be read eight elements at a time. */
function aligned({ M, N, K, aAlongK, aStride, bAlongK, bOffset, bStride, group, bits }: Facts['params']): boolean {
  if (M * N < SQUARE) return false;
  const along = [aStride, bStride, bOffset, aAlongK ? K : M, bAlongK ? K : N];
  if (along.some((length) => length % 8 !== 0)) return false;
  return bits === 0 || (bAlongK === 1 && bOffset % K === 0 && bStride === K && group % 8 === 0 && K % group === 0);
}

/** One form of the kernel: tiles, and what b's elements are. */
export function mixedVariant(name: string, tiles: Tiles, kind: WeightKind, mostRows = 0xffffffff): Variant {
  const constants = Object.entries(tileConstants(tiles)).map(([key, value]) => `const ${key} = ${value}u;\n`);
  return {
    name,
    code: [EXTENSIONS, ...constants, WEIGHTS[kind], expandLoops(code, loopCounts(tiles))].join(''),
    needs: {
      subgroupMatrix: true,
      invocationsPerWorkgroup: threadsOf(tiles),
      workgroupStorageBytes: tileBytes(tiles),
    },
    fits: (facts) => facts.params.M <= mostRows && kindOf(facts) === kind && aligned(facts.params),
    constants: ({ params: { aAlongK, bAlongK }, dtypes }) => ({
      A_ALONG_K: aAlongK,
      B_ALONG_K: bAlongK,
      HAS_A_MAX: dtypes.aMax ? 1 : 0,
      HAS_B_MAX: dtypes.bMax ? 1 : 0,
      HAS_BIAS: dtypes.bias ? 1 : 0,
      ...(kind === 'half' ? { WEIGHT_DTYPE: dtypes.b === 'bf16' ? 2 : 1 } : {}),
    }),
    workgroups: ({ params: { M, N, K, kPerSplit } }, limits) => {
      const [x, y] = spread(Math.ceil(M / tiles.m) * Math.ceil(N / tiles.n), limits);
      return [x, y, Math.ceil(K / kPerSplit)];
    },
  };
}

const kinds: readonly WeightKind[] = ['half', 'q8', 'q4'];

export const matmulMixedWebGpu: readonly Variant[] = kinds.flatMap((kind) => [
  mixedVariant(`32 rows, ${kind}`, THIRTY_TWO_ROWS, kind, 32),
  mixedVariant(`64 rows, ${kind}`, SIXTY_FOUR_ROWS, kind, 64),
  mixedVariant(`many rows, ${kind}`, MANY_ROWS, kind),
]);
