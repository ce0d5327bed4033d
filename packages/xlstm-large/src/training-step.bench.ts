import type { Device } from '@xlstm/device';
import type { Bench } from '@xlstm-tooling/kernel-harness';
import { newXlstmLarge } from './initialise.ts';
import { byKernel, STORIES } from './testing/bench-models.ts';
import { TrainingStep } from './training-step.ts';

/** Ids that a model can learn: each follows from the one before. */
function batchOf(batch: number, length: number, step: number): { tokens: Int32Array; targets: Int32Array } {
  const id = (row: number, at: number) => (17 * row + 31 * step + 7 * at) % 4096;
  const rows = Array.from({ length: batch }, (_, row) => row);
  const ids = (shift: number) =>
    Int32Array.from(rows.flatMap((row) => Array.from({ length }, (_, at) => id(row, at + shift))));
  return { tokens: ids(0), targets: ids(1) };
}

async function time(device: Device, step: TrainingStep, batch: number, length: number, steps: number): Promise<number> {
  const data = Array.from({ length: steps }, (_, at) => batchOf(batch, length, at));
  await device.sync();
  const start = performance.now();
  for (const { tokens, targets } of data) step.run(tokens, targets, { lr: 1e-3 });
  await device.sync();
  return (performance.now() - start) / steps;
}

const bench: Bench = {
  id: 'training-step',
  async run(device, report) {
    const slow = device.kind === 'cpu' || device.info.software;
    const [batch, length, steps] = slow ? [2, 64, 2] : [64, 512, 10];
    for (const recompute of [false, true]) {
      const model = await newXlstmLarge(device, STORIES, { seed: 1 });
      const before = device.liveBuffers().bytes;
      const step = new TrainingStep(model, { batch, length, recompute, lr: 1e-3, maxGradNorm: 0.5 });
      try {
        // Gate: a step that does not learn is not timed.
        const first = batchOf(batch, length, 0);
        step.run(first.tokens, first.targets);
        const start = await step.loss();
        for (let again = 0; again < 3; again++) step.run(first.tokens, first.targets);
        const end = await step.loss();
        if (!(end < start)) throw new Error(`training-step: the loss went from ${start} to ${end}; not timing it`);
        const milliseconds = await time(device, step, batch, length, steps);
        report({
          name: `training step, stories shape, ${batch} x ${length} tokens${recompute ? ', blocks recomputed' : ''}`,
          device: device.name,
          microseconds: 1e3 * milliseconds,
          columns: {
            'tokens/s': ((1e3 * batch * length) / milliseconds).toFixed(0),
            dispatches: step.dispatches,
            'GB of training': ((device.liveBuffers().bytes - before) / 1e9).toFixed(2),
          },
        });
        if (slow || !device.info.features.includes('timestamp-query')) continue;
        const kernels = byKernel(await step.program.profile());
        const total = kernels.reduce((sum, [, { milliseconds: each }]) => sum + each, 0);
        for (const [kernel, { milliseconds: each, count }] of kernels.slice(0, 24)) {
          report({
            name: `  ${kernel}, ${count} times`,
            device: device.name,
            microseconds: 1e3 * each,
            columns: { share: `${((100 * each) / total).toFixed(1)} %` },
          });
        }
      } finally {
        step.dispose();
        model.dispose();
      }
    }
  },
};
export default bench;
