import { expect } from 'vitest';
import type { Batch, BatchSource } from '../batch-source.ts';

export async function take(source: BatchSource, count: number): Promise<Batch[]> {
  const batches: Batch[] = [];
  for (let i = 0; i < count; i++) batches.push(await source.next());
  return batches;
}

/** After going to a kept position, a fresh source gives the same batches as the one that went on, and keeps the same. */
export async function expectExactSeek(make: () => BatchSource, before: number, after: number): Promise<void> {
  const source = make();
  await take(source, before);
  const kept = JSON.stringify(source.position());
  const wanted = await take(source, after);

  const resumed = make();
  await resumed.seek(JSON.parse(kept));
  expect(JSON.stringify(resumed.position())).toBe(kept);
  expect(await take(resumed, after)).toEqual(wanted);
  expect(resumed.position()).toEqual(source.position());

  await source.seek(JSON.parse(kept));
  expect(await take(source, after)).toEqual(wanted);
}
