import { createCpuDevice } from '@xlstm/device';
import { expect, it } from 'vitest';
import { parseTrainerConfig } from '../config/parse-config.ts';
import { IGNORE } from '../data/batch-source.ts';
import { createEngine, estimateTraining, prepareEngine } from './estimate-training.ts';
import { prepareTask } from './prepare-task.ts';
import { createModel } from './run-model.ts';

const LARGE = { kind: 'xlstm-large', embedding_dim: 32, num_heads: 2, num_blocks: 2 };
const CORE = {
  kind: 'xlstm-core',
  embedding_dim: 16,
  num_blocks: 2,
  slstm_at: [1],
  mlstm_block: { mlstm: { num_heads: 2 } },
  slstm_block: { slstm: { num_heads: 2 }, feedforward: {} },
};

it.each([
  ['xlstm-large', LARGE, {}],
  ['xlstm-large, recomputed, with dropout', LARGE, { recompute: true, dropout: 0.1 }],
  ['xlstm-core with an sLSTM', CORE, {}],
])('counts what training and evaluation hold on the device: %s', async (_, model, train) => {
  const config = parseTrainerConfig({
    out_dir: 'nowhere',
    device: 'cpu',
    model,
    task: { name: 'parity', min_length: 3, max_length: 20, evaluation_ranges: [[20, 70]], evaluation_sequences: 6 },
    train: { max_steps: 2, global_batch_size: 8, micro_batch_size: 4, ...train },
  });
  const device = createCpuDevice();
  const run = prepareTask(config, config.task!);
  const estimate = await estimateTraining(device, config, run);
  expect(device.liveBuffers().count).toBe(0);

  const real = await createModel(device, config, run);
  const engine = createEngine(config, real, run.source.length);
  prepareEngine(engine, run);
  for (let step = 0; step < 2; step++) await engine.step([await run.source.next(), await run.source.next()], 1e-3);
  await run.evaluate(engine);
  const { tokens, targets } = await run.source.next();
  await engine.evaluate([{ tokens, targets: targets.fill(IGNORE, 0, 1), restarts: new Uint8Array(4) }]);
  const held = device.liveBuffers().bytes;
  expect(Math.abs(estimate.bytes / held - 1)).toBeLessThan(0.02);
  // Far from being the parameters alone.
  expect(held).toBeGreaterThan(1.5 * 16 * estimate.parameters);
  engine.dispose();
  real.dispose();
  await run.close();
  expect(device.liveBuffers().count).toBe(0);
  device.dispose();
});
