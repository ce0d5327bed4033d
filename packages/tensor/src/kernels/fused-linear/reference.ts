import { decodeTable, type ReferenceBuffers, type WeightView } from '@xlstm/device';
import { dots4, dots8, sumsOfGroups } from '../matvec/quantized-dots.ts';
import { dots16, dots32 } from '../matvec/reference.ts';
import { type bindings, EPILOGUES, PROLOGUES, type params } from './signature.ts';

type Params = Readonly<Record<keyof typeof params, number>>;
type Buffers = ReferenceBuffers<typeof bindings>;

const sigmoid = (value: number): number => 1 / (1 + Math.exp(-value));
const capped = (value: number, cap: number): number => (cap === 0 ? value : cap * Math.tanh(value / cap));

/** Row m of x as the product takes it, and what its sums are to be multiplied with. */
function prepareRow({ x, norm, gate }: Buffers, p: Params, m: number): { row: Float32Array; scale: number } {
  const { K, eps } = p;
  const own = x.subarray(m * K, (m + 1) * K);
  if (p.prologue === PROLOGUES.none) return { row: own, scale: 1 };
  const row = new Float32Array(K);
  if (p.prologue === PROLOGUES.rmsNorm) {
    let squares = 0;
    for (let k = 0; k < K; k++) {
      squares += own[k]! ** 2;
      row[k] = own[k]! * norm![k]!;
    }
    return { row, scale: 1 / Math.sqrt(squares / K + eps) };
  }
  const DH = K / p.heads;
  for (let start = 0; start < K; start += DH) {
    let mean = 0;
    for (let k = start; k < start + DH; k++) mean += own[k]! / DH;
    let variance = 0;
    for (let k = start; k < start + DH; k++) variance += (own[k]! - mean) ** 2 / DH;
    const scale = 1 / Math.sqrt(variance + eps);
    for (let k = start; k < start + DH; k++) {
      const open = sigmoid(gate![p.gateOffset + m * p.gateStride + k]!);
      row[k] = (own[k]! - mean) * scale * norm![k]! * open;
    }
  }
  return { row, scale: 1 };
}

/** The dot products of x with the four weight rows n…n + 3, of which those past the last repeat it. */
type Dots = (x: Float32Array, n: number, sums: Float64Array) => void;

function dotsOf({ dtype, data }: WeightView, rows: number, { K, bits, group }: Params, scales?: Uint16Array): Dots {
  const last = (rows - 1) * K;
  const at = (n: number, r: number) => Math.min((n + r) * K, last);
  if (dtype === 'u32') {
    const words = data as ArrayLike<number> as Uint32Array;
    const range = [words.buffer, words.byteOffset, words.byteLength] as const;
    if (bits === 8) {
      const codes = new Int8Array(...range);
      return (x, n, sums) => dots8(x, codes, scales!, K, group, at(n, 0), at(n, 1), at(n, 2), at(n, 3), sums);
    }
    const codes = new Uint8Array(...range);
    let summed: Float32Array | undefined;
    let groupSums: Float64Array;
    return (x, n, sums) => {
      if (x !== summed) groupSums = sumsOfGroups(x, K, group);
      summed = x;
      dots4(x, groupSums, codes, scales!, K, group, at(n, 0), at(n, 1), at(n, 2), at(n, 3), sums);
    };
  }
  if (dtype === 'fp32') {
    return (x, n, sums) => dots32(x, data as Float32Array, K, at(n, 0), at(n, 1), at(n, 2), at(n, 3), sums);
  }
  const table = decodeTable(dtype as 'fp16' | 'bf16');
  return (x, n, sums) => dots16(x, data as Uint16Array, table, K, at(n, 0), at(n, 1), at(n, 2), at(n, 3), sums);
}

/** y = epilogue(W · prologue(x)), in float64 but for x made ready, which is rounded to float32. */
export function fusedLinearReference(buffers: Buffers, p: Params): void {
  const { weight, scales, extra, biases, y } = buffers;
  const swiglu = p.epilogue === EPILOGUES.swiglu;
  const dots = dotsOf(weight, swiglu ? p.up + p.N : p.N, p, scales);
  const extraDots = extra && p.E > 0 ? dotsOf({ dtype: 'fp32', data: extra }, p.E, p) : undefined;
  const [sums, upSums] = [new Float64Array(4), new Float64Array(4)];
  const bias = (offset: number, n: number) => (p.biased ? biases![offset + n]! : 0);
  for (let m = 0; m < p.M; m++) {
    const { row, scale } = prepareRow(buffers, p, m);
    const start = m * p.yStride + p.yOffset;
    for (let n = 0; n < p.N; n += 4) {
      dots(row, n, sums);
      if (swiglu) dots(row, p.up + n, upSums);
      for (let r = 0; r < Math.min(4, p.N - n); r++) {
        let value = sums[r]! * scale + bias(p.biasOffset, n + r);
        if (swiglu) value *= sigmoid(value) * (upSums[r]! * scale + bias(p.upBiasOffset, n + r));
        value = capped(value, p.cap);
        y[start + n + r] = p.epilogue === EPILOGUES.add ? y[start + n + r]! + value : value;
      }
    }
    for (let e = 0; e < p.E; e += 4) {
      extraDots!(row, e, sums);
      for (let r = 0; r < Math.min(4, p.E - e); r++) {
        const value = sums[r]! * scale + biases![p.extraBiasOffset + e + r]!;
        y[m * p.yStride + p.extraOffset + e + r] = capped(value, p.extraCap);
      }
    }
  }
}
