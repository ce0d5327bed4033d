import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { describeDevices } from '../test-kernel.ts';
import { stepKernel } from './fixture-kernels.ts';

setFlagsFromString('--expose_gc');
const collect = runInNewContext('gc') as () => void;

async function heapAfterCollection(): Promise<number> {
  // What hangs on settled promises and on finalisers goes in a later turn than the objects themselves.
  for (let round = 0; round < 3; round++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    collect();
  }
  return process.memoryUsage().heapUsed;
}

await describeDevices('memory', (device, kind) => {
  // A software adapter takes milliseconds for each.
  const READS = device.info.software ? 3000 : 20_000;
  it(`${READS} reads leave nothing behind`, { timeout: 300_000 }, async () => {
    const y = device.from('fp32', Float32Array.of(0));
    const readMany = async (count: number) => {
      for (let index = 0; index < count; index++) {
        // Parameters that never repeat, as a position would be.
        device.launch(stepKernel, { buffers: { y }, params: { a: 0, b: index, groups: 1 } });
        if ((await device.read(y))[0] !== index) throw new Error(`read ${index} gave something else`);
      }
    };
    await readMany(2000);
    const before = await heapAfterCollection();
    await readMany(READS);
    const grown = (await heapAfterCollection()) - before;
    y.dispose();
    // One retained promise with its closures takes some 200 bytes.
    expect(grown, `${kind} grew by ${grown} bytes`).toBeLessThan(500_000);
  });

  it('many reads at once all arrive, in order', async () => {
    const y = device.from('fp32', Float32Array.of(0));
    const reads: Promise<ArrayLike<number>>[] = [];
    for (let index = 0; index < 300; index++) {
      device.launch(stepKernel, { buffers: { y }, params: { a: 1, b: 1, groups: 1 } });
      reads.push(device.read(y));
    }
    expect((await Promise.all(reads)).map((data) => data[0])).toEqual(Array.from({ length: 300 }, (_, i) => i + 1));
    y.dispose();
  });
});
