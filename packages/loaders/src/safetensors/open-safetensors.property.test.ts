import { CheckpointError } from '@xlstm/device';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GuardedSource } from '../testing/guarded-source.ts';
import { rawSafetensors } from '../testing/raw-safetensors.ts';
import { encodeSafetensors, type NamedTensor } from './encode-safetensors.ts';
import { openSafetensors, readTensorBytes } from './open-safetensors.ts';
import { SAFETENSORS_DTYPES, safetensorsDtypeBytes } from './safetensors-dtype.ts';

/** How many inputs to try; `XLSTM_FUZZ_RUNS=100000` for a long run. */
const runs = (usual: number) => Number(process.env.XLSTM_FUZZ_RUNS ?? usual);

/** Either a CheckpointError or a file all of whose tensors can be read; nothing beyond the file is asked for. */
async function survives(bytes: Uint8Array): Promise<boolean> {
  const source = new GuardedSource(bytes);
  let opened = true;
  try {
    const file = await openSafetensors(source);
    let total = 0;
    for (const info of file.tensors.values()) total += (await readTensorBytes(info)).byteLength;
    expect(total).toBeLessThan(bytes.byteLength);
    // Coverage without overlap or hole: header and tensors together are every byte, once.
    expect(source.readsOf.every((reads) => reads === 1)).toBe(true);
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    opened = false;
  }
  expect(source.largestRead).toBeLessThanOrEqual(bytes.byteLength);
  return opened;
}

const tensor: fc.Arbitrary<Omit<NamedTensor, 'name'>> = fc
  .tuple(fc.constantFrom(...SAFETENSORS_DTYPES), fc.array(fc.nat(4), { maxLength: 4 }), fc.infiniteStream(fc.nat(255)))
  .map(([dtype, shape, stream]) => {
    const length = shape.reduce((product, size) => product * size, safetensorsDtypeBytes(dtype));
    return { dtype, shape, data: Uint8Array.from({ length }, () => stream.next().value as number) };
  });
const name = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('__proto__', 'constructor', '1', ''));
const tensors: fc.Arbitrary<NamedTensor[]> = fc
  .uniqueArray(fc.tuple(name, tensor), { selector: ([key]) => key, maxLength: 5 })
  .map((list) => list.filter(([key]) => key !== '__metadata__').map(([key, rest]) => ({ name: key, ...rest })));

describe('openSafetensors, on whatever comes', () => {
  it('survives random bytes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (bytes) => void (await survives(bytes))),
      { numRuns: runs(1500) },
    );
  });

  it('survives random bytes behind a header length that fits', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.nat(50), async (header, data) => {
        await survives(rawSafetensors(header, data));
      }),
      { numRuns: runs(1000) },
    );
  });

  it('survives random header lengths', async () => {
    await fc.assert(
      fc.asyncProperty(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.string(), async (length, text) => {
        await survives(rawSafetensors(text, 0, length));
      }),
    );
  });

  it('survives random JSON and near misses of entries', async () => {
    const number = fc.oneof(
      fc.integer({ min: -2, max: 40 }),
      fc.double(),
      fc.constantFrom(2 ** 53, 2 ** 31, -0, 1e300),
    );
    const field = fc.oneof(fc.array(number, { maxLength: 4 }), fc.jsonValue({ maxDepth: 2 }));
    const dtype = fc.oneof(fc.constantFrom<string>(...SAFETENSORS_DTYPES), fc.string());
    const entry = fc.record({ dtype, shape: field, data_offsets: field }, { requiredKeys: [] });
    const header = fc.dictionary(fc.oneof(fc.string(), fc.constant('__metadata__')), fc.oneof(entry, fc.jsonValue()));
    await fc.assert(
      fc.asyncProperty(header, fc.nat(64), async (value, data) => void (await survives(rawSafetensors(value, data)))),
      { numRuns: runs(1500) },
    );
  });

  it('survives valid files with a few bytes changed, and tells most of them apart', async () => {
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(
        tensors,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        async (list, changes) => {
          const bytes = encodeSafetensors(list);
          const headerEnd = bytes.byteLength - list.reduce((sum, { data }) => sum + data.byteLength, 0);
          for (const [at, value] of changes) bytes[at % headerEnd] = value;
          if (!(await survives(bytes))) refused++;
        },
      ),
      { numRuns: runs(1000) },
    );
    expect(refused).toBeGreaterThan(500);
  });

  it('reads back whatever encodeSafetensors writes', async () => {
    await fc.assert(
      fc.asyncProperty(tensors, fc.dictionary(fc.string(), fc.string()), async (list, metadata) => {
        const source = new GuardedSource(encodeSafetensors(list, { metadata }));
        const file = await openSafetensors(source);
        expect(file.tensors.size).toBe(list.length);
        for (const { name: key, dtype, shape, data } of list) {
          const info = file.tensors.get(key)!;
          expect([info.dtype, info.shape]).toEqual([dtype, shape]);
          expect(await readTensorBytes(info)).toEqual(data);
          expect(info.offset % safetensorsDtypeBytes(dtype)).toBe(0);
        }
        expect(Object.fromEntries(file.metadata)).toEqual({ ...metadata });
        expect(source.readsOf.every((reads) => reads === 1)).toBe(true);
      }),
      { numRuns: runs(300) },
    );
  });
});
