import {
  type Device,
  type DeviceBuffer,
  defineKernel,
  type Kernel,
  quantizedLengths,
  type WeightDtype,
} from '@xlstm/device';
import { type Bench, type BenchResult, compare, measure } from '@xlstm-tooling/kernel-harness';
import { randomBits, randomFill } from '../random-fill/index.ts';
import { fusedLinearKernel } from './index.ts';
import { integersVariant } from './integers.ts';
import { spec } from './spec.ts';
import { type VectorPlan, vectorVariant } from './webgpu.ts';

type Case = (typeof spec.bench)[number];

/** Weights rotate through at least this much, so that no cache serves them. */
const COLD_BYTES = 256 * 2 ** 20;
const STAGE_BYTES = 28 * 1024;
/** The integer form rounds x to 16 bits. */
const TOLERANCE = { relativeRms: 5e-5, atol: 1e-3, rtol: 1e-3 };

type FloatLayout = [rows: 2 | 4 | 8, depth: 1 | 2 | 4, threads: 64 | 128 | 256 | 512, groups: number, staged: boolean];

const FLOAT_LAYOUTS: readonly FloatLayout[] = [
  [4, 2, 256, 8, true],
  [4, 2, 512, 16, true],
  [4, 2, 512, 8, true],
  [4, 2, 256, 4, true],
  [4, 4, 256, 8, true],
  [2, 4, 256, 8, true],
  [2, 4, 512, 16, true],
  [2, 4, 512, 8, true],
  [8, 1, 512, 16, true],
  [8, 2, 256, 8, true],
  [4, 2, 256, 8, false],
  [4, 2, 256, 4, false],
  [4, 4, 256, 8, false],
  [2, 4, 256, 8, false],
  [2, 4, 512, 16, false],
  [2, 4, 512, 8, false],
];

/** As many workgroups as there are rows for. */
const ALL = 1e9;

type IntegersLayout = [rows: 2 | 4 | 8, depth: 1 | 2 | 4, threads: 128 | 256 | 512, workgroups: number];

const INTEGERS_LAYOUTS: readonly IntegersLayout[] = [
  [4, 2, 256, ALL],
  [4, 2, 256, 400],
  [4, 2, 256, 264],
  [4, 1, 256, 400],
  [4, 4, 256, 400],
  [2, 2, 256, ALL],
  [2, 4, 256, 400],
  [8, 1, 256, 400],
  [4, 2, 512, ALL],
  [4, 2, 512, 132],
  [2, 4, 512, 264],
  [4, 2, 128, 528],
];

function floatVariant([rows, depth, threads, groups, staged]: FloatLayout) {
  const plan: VectorPlan = {
    rows,
    depth,
    threads,
    groups,
    staged,
    single: true,
    stageBytes: staged ? STAGE_BYTES : 0,
    suits: () => true,
  };
  return vectorVariant(
    `${rows} rows x ${depth}, ${threads} threads, ${groups} groups${staged ? ', staged' : ''}`,
    plan,
  );
}

function integersForm(bits: 8 | 4, [rows, depth, threads, workgroups]: IntegersLayout) {
  const most = workgroups === ALL ? '' : `, ${workgroups} workgroups`;
  const name = `${rows} rows x ${depth}, ${threads} threads${most}`;
  return integersVariant(name, { bits, rows, depth, threads, workgroups });
}

const variantsFor = (dtype: WeightDtype) =>
  dtype === 'q8' || dtype === 'q4'
    ? INTEGERS_LAYOUTS.map((layout) => integersForm(dtype === 'q8' ? 8 : 4, layout))
    : FLOAT_LAYOUTS.map(floatVariant);

/** Buffers of a case with contents made on the device, as sets that share all but the weights. */
function makeSets(device: Device, { params }: Case, dtype: WeightDtype, bytes: number) {
  const made: DeviceBuffer[] = [];
  const { K, N, E, epilogue, bits, yStride, gateOffset, gateStride, extraBiasOffset } = params;
  let seed = 1;
  const own = (kind: 'fp32' | 'fp16' | 'bf16' | 'u32', length: number, scale = 1) => {
    const buffer = device.alloc(kind, length, { owner: 'bench' });
    made.push(buffer);
    if (kind === 'u32') randomBits(device, buffer, { seed: seed++ });
    else randomFill(device, buffer, { seed: seed++, scale });
    return buffer;
  };
  const rows = epilogue === 2 ? 2 * N : N;
  const common = {
    x: own('fp32', K),
    gate: params.prologue === 2 ? own('fp32', gateOffset + gateStride) : undefined,
    norm: params.prologue ? own('fp32', K) : undefined,
    biases: E ? own('fp32', extraBiasOffset + E) : undefined,
    extra: E ? own('fp32', E * K, 0.02) : undefined,
    y: own('fp32', yStride),
  };
  const sets = Array.from({ length: Math.max(2, Math.ceil(COLD_BYTES / bytes)) }, () => {
    if (!bits) return { ...common, weight: own(dtype as 'bf16', rows * K, 0.02), scales: undefined };
    const lengths = quantizedLengths(dtype as 'q4', params.group, rows, K);
    return { ...common, weight: own('u32', lengths.codes), scales: own('fp16', lengths.scales, 0.001) };
  });
  return { sets, made };
}

async function timeLayouts(device: Device, testCase: Case, dtype: WeightDtype, report: (result: BenchResult) => void) {
  const cost = spec.cost(testCase.params, { weight: dtype === 'bf16' ? 'bf16' : 'u32' });
  const { sets, made } = makeSets(device, testCase, dtype, cost.bytes);
  try {
    const { y } = sets[0]!;
    const output = async (kernel: typeof fusedLinearKernel, variant: string) => {
      device.clear(y);
      device.launch(kernel, { buffers: sets[0]!, params: testCase.params, variant });
      return (await device.read(y)) as Float32Array;
    };
    const expected = await output(fusedLinearKernel, 'plain');
    const facts = { params: testCase.params, dtypes: { weight: sets[0]!.weight.dtype } as never };
    const forms = variantsFor(dtype)
      .filter(({ fits }) => fits?.(facts) !== false)
      .map((variant) => ({ name: variant.name, kernel: defineKernel({ ...fusedLinearKernel, webgpu: [variant] }) }))
      .filter(({ kernel }) => device.variants(kernel as unknown as Kernel).length > 0);
    const launch = ({ kernel, name }: (typeof forms)[number], index: number) =>
      device.launch(kernel, { buffers: sets[index % sets.length]!, params: testCase.params, variant: name });
    await device.prepare(() => {
      for (const form of forms) launch(form, 0);
    });
    for (const form of forms) {
      const line = { name: `${testCase.name}`, device: device.name, variant: form.name };
      const { pass, relativeRms } = compare(await output(form.kernel, form.name), expected, TOLERANCE);
      if (!pass) {
        report({ ...line, microseconds: Number.NaN, columns: { wrong: `relative RMS ${relativeRms}` } });
        continue;
      }
      const milliseconds = await measure(device, (index) => launch(form, index), { rough: true });
      report({ ...line, microseconds: milliseconds * 1e3, gigabytesPerSecond: cost.bytes / milliseconds / 1e6 });
    }
  } finally {
    for (const buffer of made) buffer.dispose();
  }
}

/** Every layout of the vector form, and of that of integer products, on the products of a 7B decode step; each is held to the plain form before it is timed. */
const bench: Bench = {
  id: 'fused_linear_layouts',
  async run(device, report, skip) {
    if (device.kind !== 'webgpu' || device.info.software || !device.info.features.includes('subgroups')) {
      skip('fused_linear layouts', 'the layouts are those of a GPU with subgroups');
      return;
    }
    for (const dtype of ['bf16', 'q4', 'q8'] as const) {
      for (const testCase of spec.bench) {
        const isOf = testCase.params.M === 1 && testCase.name.includes(` ${dtype}:`);
        if (isOf) await timeLayouts(device, testCase, dtype, report);
      }
    }
  },
};
export default bench;
