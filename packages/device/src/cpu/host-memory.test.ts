import { totalmem } from 'node:os';
import { expect, it } from 'vitest';
import { createCpuDevice } from './cpu-device.ts';
import { hostMemoryBytes } from './host-memory.ts';

const GIB = 2 ** 30;
const node = (total: number, allowed?: number) => ({
  process: { getBuiltinModule: () => ({ totalmem: () => total }), constrainedMemory: () => allowed },
});

it('is the memory of this machine or of its container', () => {
  const bytes = createCpuDevice().memoryBytes!;
  expect(bytes).toBeGreaterThan(64 * 2 ** 20);
  expect(bytes).toBeLessThanOrEqual(totalmem());
});

it.each([
  ['a machine', node(16 * GIB), 16 * GIB],
  ['a container with a limit', node(16 * GIB, 2 * GIB), 2 * GIB],
  ['a container without one', node(16 * GIB, 2 ** 64), 16 * GIB],
  ['a system that knows no limits', node(16 * GIB, 0), 16 * GIB],
  ['a small phone', { navigator: { deviceMemory: 2 } }, 4 * GIB],
  ['a page that is told the most there is to tell', { navigator: { deviceMemory: 8 } }, undefined],
  ['a page that is told nothing', { navigator: {} }, undefined],
  ['a runtime that tells nothing', {}, undefined],
])('%s', (_, host, bytes) => {
  expect(hostMemoryBytes(host)).toBe(bytes);
});
