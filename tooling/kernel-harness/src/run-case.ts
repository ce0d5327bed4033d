import { type Device, type DeviceBuffer, type Kernel, type NumberArray, newArray } from '@xlstm/device';
import { type Comparison, compare } from './compare.ts';
import { Random } from './random.ts';
import type { CaseBuffer, KernelCase, KernelSpec } from './spec.ts';

/** Elements after each output that the kernel must leave alone. */
const GUARD = 64;
/** NaN in fp32, fp16 and bf16 alike, and a conspicuous integer. */
const POISON_WORD = 0x7fff7fff;
const GUARD_WORD = 0x5a5a5a5a;

interface Prepared {
  name: string;
  access: 'read' | 'write' | 'read-write';
  buffer: CaseBuffer;
  length: number;
}

function prepare(spec: KernelSpec, testCase: KernelCase): Prepared[] {
  const buffers = testCase.buffers(new Random(0x5eed));
  return Object.entries(spec.kernel.bindings).flatMap(([name, binding]) => {
    const buffer = buffers[name];
    if (!buffer) return [];
    const length = 'data' in buffer ? buffer.data.length : buffer.length;
    return [{ name, access: binding.access, buffer, length }];
  });
}

function fillWords(array: NumberArray, word: number, from: number): void {
  if (array instanceof Uint16Array) array.fill(word & 0xffff, from);
  else new Uint32Array(array.buffer, array.byteOffset, array.length).fill(word, from);
}

/** The reference's outputs: run on plain arrays, apart from any device. */
function expectedOutputs(spec: KernelSpec, testCase: KernelCase, prepared: Prepared[]): Map<string, NumberArray> {
  const { reference } = spec.kernel;
  if (!reference) throw new Error(`${spec.kernel.id}: a spec needs a reference implementation`);
  const outputs = new Map<string, NumberArray>();
  const views: Record<string, unknown> = {};
  for (const { name, access, buffer, length } of prepared) {
    const data = 'data' in buffer ? buffer.data.slice() : newArray(buffer.dtype, length);
    if (access !== 'read') outputs.set(name, data);
    const single = spec.kernel.bindings[name]!.dtypes.length === 1;
    views[name] = single ? data : { dtype: buffer.dtype, data };
  }
  (reference as (views: unknown, params: unknown) => void)(views, testCase.params);
  return outputs;
}

function upload(device: Device, { buffer, length, access, name }: Prepared): DeviceBuffer {
  if (access === 'read') return device.from(buffer.dtype, (buffer as { data: NumberArray }).data, { label: name });
  const data = newArray(buffer.dtype, length + GUARD);
  fillWords(data, POISON_WORD, 0);
  if ('data' in buffer) data.set(buffer.data);
  fillWords(data, GUARD_WORD, length);
  return device.from(buffer.dtype, data, { label: name });
}

function checkGuard(kernel: Kernel, name: string, data: NumberArray, length: number): void {
  const guard = data.slice(length);
  const words = guard instanceof Uint16Array ? guard : new Uint32Array(guard.buffer, guard.byteOffset, guard.length);
  const wanted = guard instanceof Uint16Array ? GUARD_WORD & 0xffff : GUARD_WORD;
  const broken = words.findIndex((word) => word !== wanted);
  if (broken >= 0) throw new Error(`${kernel.id}: wrote past the end of ${name}, at element ${length + broken}`);
}

/** One output against its reference. */
export interface OutputResult extends Comparison {
  output: string;
}

/**
 * Runs a case on a device: outputs are poisoned with NaN beforehand and followed by guard words, then compared with
 * the reference. Throws when a guard was overwritten; returns a comparison per output.
 */
export async function runCase(
  spec: KernelSpec,
  testCase: KernelCase,
  device: Device,
  variant?: string,
): Promise<OutputResult[]> {
  const prepared = prepare(spec, testCase);
  const expected = expectedOutputs(spec, testCase, prepared);
  const buffers: Record<string, DeviceBuffer> = {};
  try {
    for (const entry of prepared) buffers[entry.name] = upload(device, entry);
    device.launch(spec.kernel, { buffers, params: testCase.params, ...(variant ? { variant } : {}) });
    const results: OutputResult[] = [];
    for (const { name, length } of prepared) {
      const reference = expected.get(name);
      if (!reference) continue;
      const data = await device.read(buffers[name]!);
      checkGuard(spec.kernel, name, data, length);
      const tolerance = testCase.tolerances?.[name] ?? spec.tolerances[name];
      if (!tolerance) throw new Error(`${spec.kernel.id}: the spec has no tolerance for its output ${name}`);
      results.push({ output: name, ...compare(data.slice(0, length), reference, tolerance) });
    }
    return results;
  } finally {
    for (const buffer of Object.values(buffers)) buffer.dispose();
  }
}
