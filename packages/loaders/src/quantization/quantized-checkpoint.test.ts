import { CheckpointError } from '@xlstm/device';
import { dequantizeRows, type QuantizationGroup, type QuantizedDtype, quantizeRows } from '@xlstm/device/dtypes';
import { describe, expect, it } from 'vitest';
import { bytesSource } from '../byte-source/bytes-source.ts';
import { estimateMemory } from '../checkpoint/estimate-memory.ts';
import { type Checkpoint, openCheckpoint } from '../checkpoint/open-checkpoint.ts';
import { encodeSafetensors, type NamedTensor } from '../safetensors/encode-safetensors.ts';
import { convertedPieces, convertedTensors } from './convert-weights.ts';
import { quantizationJson } from './quantization-block.ts';
import { streamQuantized, streamWeight, weightShape } from './stream-weights.ts';

const FINGERPRINT = '0123456789abcdef';
const [N, K] = [6, 128];

/** Normally distributed, from a fixed sequence. */
function gaussian(length: number): Float32Array {
  let seed = 4711;
  const uniform = () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return (seed + 0.5) / 2 ** 32;
  };
  return Float32Array.from(
    { length },
    () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()) * 0.02,
  );
}

function relativeRms(actual: Float32Array, wanted: Float32Array): number {
  let [error, norm] = [0, 0];
  for (const [at, value] of wanted.entries()) {
    error += (actual[at]! - value) ** 2;
    norm += value ** 2;
  }
  return Math.sqrt(error / norm);
}

const values = gaussian(N * K);

/** Codes and scales of a matrix, as a file has them. */
function stored(name: string, dtype: QuantizedDtype, group: QuantizationGroup = 32): NamedTensor[] {
  const { codes, scales } = quantizeRows(values, K, dtype, group);
  const [first, second] = convertedTensors(name, [N, K], dtype, group);
  return [
    { ...first!, data: codes },
    { ...second!, data: scales },
  ];
}

const block = quantizationJson({ dtype: 'q4', group: 32, fingerprint: FINGERPRINT });
const norm: NamedTensor = { name: 'norm.weight', dtype: 'F32', shape: [3], data: new Float32Array([1, 2, 3]) };

function open(tensors: readonly NamedTensor[], quantization?: unknown): Promise<Checkpoint> {
  const config = { model_type: 'xlstm', ...(quantization === undefined ? {} : { quantization }) };
  return openCheckpoint([
    bytesSource(new TextEncoder().encode(JSON.stringify(config)), 'config.json'),
    bytesSource(encodeSafetensors(tensors), 'model.safetensors'),
  ]);
}

async function floatsOf(checkpoint: Checkpoint, name: string, pieceBytes?: number): Promise<Float32Array> {
  const found: number[] = [];
  for await (const { elementOffset, data } of streamWeight(checkpoint, name, 'fp32', { pieceBytes })) {
    expect(elementOffset).toBe(found.length);
    found.push(...data);
  }
  return Float32Array.from(found);
}

describe('a quantised checkpoint', () => {
  it.each([
    ['q8', 'I8', [N, K]],
    ['q4', 'U8', [N, K / 2]],
  ] as const)('keeps %s as %s and gives codes, floats and shapes', async (dtype, storedDtype, shape) => {
    const json = quantizationJson({ dtype, group: 32, fingerprint: FINGERPRINT });
    await using checkpoint = await open([...stored('a.weight', dtype), norm], json);
    expect(checkpoint.tensors.get('a.weight')).toMatchObject({ dtype: storedDtype, shape });
    expect(checkpoint.tensors.get('a.weight_scale')).toMatchObject({ dtype: 'F16', shape: [N, K / 32] });
    expect(checkpoint.quantization).toMatchObject({ dtype, group: 32, fingerprint: FINGERPRINT });
    expect(weightShape(checkpoint, 'a.weight')).toEqual([N, K]);
    expect(weightShape(checkpoint, 'norm.weight')).toEqual([3]);
    const rows = quantizeRows(values, K, dtype, 32);
    const matrix = checkpoint.quantization!.matrices.get('a.weight')!;
    const words: number[] = [];
    const scales: number[] = [];
    // Rows of 128 or 64 bytes of codes and 8 of scales: two or three pieces of whole rows, the last one shorter.
    for await (const piece of streamQuantized(matrix, { pieceBytes: dtype === 'q8' ? 560 : 300 })) {
      expect(piece.firstRow * (rows.codes.length / N)).toBe(words.length);
      words.push(...piece.codes);
      scales.push(...piece.scales);
    }
    expect(words).toEqual([...rows.codes]);
    expect(scales).toEqual([...rows.scales]);
    const wanted = dequantizeRows(rows, K, dtype, 32);
    expect(await floatsOf(checkpoint, 'a.weight', 300)).toEqual(wanted);
    expect(await floatsOf(checkpoint, 'norm.weight')).toEqual(norm.data);
  });

  it('puts the even element of a pair into the low nibble, plus 8', async () => {
    const pair = Float32Array.from({ length: 32 }, (_, at) => (at === 0 ? -8 : at === 1 ? 7 : 0));
    const bytes = new Uint8Array(quantizeRows(pair, 32, 'q4', 32).codes.buffer);
    expect([...bytes.subarray(0, 2)]).toEqual([0xf0, 0x88]);
  });

  it('has q8 matrices in a q4 model, such as the embedding', async () => {
    await using checkpoint = await open([...stored('a.weight', 'q8'), ...stored('b.weight', 'q4')], block);
    expect([...checkpoint.quantization!.matrices.values()].map(({ dtype }) => dtype).sort()).toEqual(['q4', 'q8']);
  });

  it('tells what it will take in memory whatever it is stored in', async () => {
    const float: NamedTensor = { name: 'a.weight', dtype: 'F32', shape: [N, K], data: values };
    await using floats = await open([float, norm]);
    await using codes = await open([...stored('a.weight', 'q4'), norm], block);
    for (const dtype of ['fp32', 'bf16', 'q8', 'q4'] as const) {
      expect(estimateMemory(codes, dtype)).toEqual(estimateMemory(floats, dtype));
    }
    expect(estimateMemory(codes, 'q4').weights).toBe((N * K) / 2 + (N * K * 2) / 32 + 12);
    expect(estimateMemory(codes, 'q8').weights).toBe(N * K + (N * K * 2) / 32 + 12);
    expect(() => estimateMemory(codes, 'q2' as 'q4')).toThrow('must be fp32, fp16, bf16, q8, q4, got "q2"');
  });
});

// What docs/formats.md promises for normally distributed weights.
describe.each([
  ['q8', 32, 0.0058],
  ['q8', 128, 0.007],
  ['q4', 32, 0.086],
  ['q4', 64, 0.095],
  ['q4', 128, 0.102],
] as const)('%s in groups of %i', (dtype, group, most) => {
  it(`has an error of at most ${most}`, async () => {
    const many = gaussian(64 * 1024);
    const source: NamedTensor = { name: 'a.weight', dtype: 'F32', shape: [64, 1024], data: many };
    await using checkpoint = await open([source]);
    const codes: number[] = [];
    const scales: number[] = [];
    for await (const { data } of convertedPieces(checkpoint, 'a.weight', dtype, group)) {
      codes.push(...(data[0] as Uint32Array));
      scales.push(...(data[1] as Uint16Array));
    }
    const rows = { codes: Uint32Array.from(codes), scales: Uint16Array.from(scales) };
    const error = relativeRms(dequantizeRows(rows, 1024, dtype, group), many);
    expect(error).toBeLessThan(most);
    expect(error).toBeGreaterThan(most * 0.8);
  });
});

describe('refusals', () => {
  const q4 = () => stored('a.weight', 'q4');
  const other = (fields: object) => ({ ...block, ...fields });
  it.each<[string, () => NamedTensor[], unknown, RegExp]>([
    ['codes without a block', q4, undefined, /"a\.weight_scale".*no quantization block.*config\.json/],
    ['another method', q4, other({ method: 'gptq' }), /method must be "xlstm-group-symmetric", got "gptq"; .*convert/],
    ['a newer version', q4, other({ version: 2 }), /version must be 1, got 2; a newer release.*update/],
    ['bits that are not the dtype’s', q4, other({ bits: 8 }), /bits must be 4, got 8/],
    ['a group that cannot be', q4, other({ group_size: 48 }), /group_size must be 32 or 64 or 128, got 48/],
    ['no fingerprint', q4, other({ fingerprint: undefined }), /fingerprint must be 16 hexadecimal digits/],
    ['a block that is none', q4, 'q4', /must hold named fields, got "q4"/],
    [
      'a wrong group size',
      q4,
      other({ group_size: 64 }),
      /"a\.weight_scale" must be F16 \[6,2\], got F16 \[6,4\]; those are groups of 32, and group_size in config\.json is 64/,
    ],
    [
      'missing scales',
      () => q4().slice(0, 1),
      block,
      /"a\.weight" \[6,64\].*need F16 scales \[6,4\] in "a\.weight_scale"/,
    ],
    ['missing codes', () => [...q4(), ...stored('b.weight', 'q4').slice(1)], block, /"b\.weight_scale" must go with/],
    [
      'scales of another dtype',
      () => [q4()[0]!, { ...q4()[1]!, dtype: 'BF16' }],
      block,
      /must be F16 \[6,4\], got BF16 \[6,4\]/,
    ],
    [
      'scales of another shape',
      () => [q4()[0]!, { ...q4()[1]!, shape: [N * (K / 32)] }],
      block,
      /must be F16 \[6,4\], got F16 \[24\]/,
    ],
    [
      'q4 codes in a q8 model',
      q4,
      quantizationJson({ dtype: 'q8', group: 32, fingerprint: FINGERPRINT }),
      /expected I8/,
    ],
    ['a block with floats alone', () => [norm], block, /says that matrices are q4, but no tensor/],
    [
      'rows of no whole groups',
      () => [{ name: 'a.weight', dtype: 'U8', shape: [2, 20], data: new Uint8Array(40) }],
      block,
      /whole groups of 32.*got rows of 40/,
    ],
  ])('%s', async (_, tensors, quantization, message) => {
    const opening = open(tensors(), quantization);
    await expect(opening).rejects.toThrow(CheckpointError);
    await expect(opening).rejects.toThrow(message);
  });
});
