import { decodeTable, decodeToFloat32, encodeFromFloat32, type ReferenceBuffers, type WeightView } from '@xlstm/device';
import { halfScale } from '../round-to-half/scale.ts';
import type { bindings, params } from './signature.ts';

type Params = Readonly<Record<keyof typeof params, number>>;

/** The power of two that undoes what `roundToHalf` did to a tensor whose largest magnitude has these bits. */
function descale(max: Uint32Array | undefined): number {
  if (!max) return 1;
  return 1 / halfScale(max[0]!);
}

/** An element of b as the product takes it: rounded to fp16. */
function elementsOf(
  b: WeightView,
  scales: Uint16Array | undefined,
  { K, group, bits }: Params,
): (at: number) => number {
  const halves = decodeTable('fp16');
  if (b.dtype === 'fp16') return (at) => halves[b.data[at]!]!;
  if (b.dtype === 'bf16') {
    const rounded = encodeFromFloat32(decodeToFloat32(b.data, 'bf16'), 'fp16');
    return (at) => halves[rounded[at]!]!;
  }
  const words = b.data as unknown as Uint32Array;
  const perWord = 32 / bits;
  const value = new Float32Array(1);
  return (at) => {
    const word = words[Math.floor(at / perWord)]!;
    const shift = (at % perWord) * bits;
    const code = bits === 8 ? (word << (24 - shift)) >> 24 : ((word >>> shift) & 15) - 8;
    const row = Math.floor(at / K);
    value[0] = halves[scales![row * (K / group) + Math.floor((at % K) / group)]!]! * code;
    return halves[encodeFromFloat32(value, 'fp16')[0]!]!;
  };
}

/** y [splits, M, N] (+)= A · B + bias, of operands in fp16, with float64 sums. */
export function matmulMixedReference(
  { a, b, scales, aMax, bMax, bias, y }: ReferenceBuffers<typeof bindings>,
  p: Params,
): void {
  const halves = decodeTable('fp16');
  const bAt = elementsOf(b, scales, p);
  const scale = descale(aMax) * descale(bMax);
  const [aRow, aColumn] = p.aAlongK ? [p.aStride, 1] : [1, p.aStride];
  const [bRow, bColumn] = p.bAlongK ? [p.bStride, 1] : [1, p.bStride];
  const column = new Float64Array(p.kPerSplit);
  for (let split = 0; split * p.kPerSplit < p.K; split++) {
    const begin = split * p.kPerSplit;
    const terms = Math.min(p.kPerSplit, p.K - begin);
    for (let n = 0; n < p.N; n++) {
      for (let k = 0; k < terms; k++) column[k] = bAt(p.bOffset + n * bRow + (begin + k) * bColumn);
      for (let m = 0; m < p.M; m++) {
        let sum = 0;
        for (let k = 0; k < terms; k++) sum += halves[a[m * aRow + (begin + k) * aColumn]!]! * column[k]!;
        const at = p.yOffset + (split * p.M + m) * p.yStride + n;
        y[at] = sum * scale + (bias ? bias[p.biasOffset + n]! : 0) + (p.accumulate ? y[at]! : 0);
      }
    }
  }
}
