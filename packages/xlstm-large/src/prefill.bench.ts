import { Arena, type Device } from '@xlstm/device';
import { Scope } from '@xlstm/tensor';
import type { Bench } from '@xlstm-tooling/kernel-harness';
import type { XLSTMLarge } from './model.ts';
import { pieceLength, prefill, uploadPiece } from './prefill.ts';
import { randomXlstmLarge } from './random-weights.ts';
import { byKernel, idsOf, logitsOf, requireLogits, SEVEN_B, STORIES, withGateModel } from './testing/bench-models.ts';

/** Gate: products of fp16 operands must give what float32 ones do, within fp16's rounding. */
async function checkMixed(model: XLSTMLarge): Promise<number> {
  const ids = idsOf(model, 72);
  const expected = await logitsOf(model, ids, 'fp32');
  return requireLogits('prefill, mixed and fp32', await logitsOf(model, ids, 'mixed'), expected, 1e-2);
}

async function time(device: Device, model: XLSTMLarge, tokens: number): Promise<number> {
  const ids = idsOf(model, tokens);
  const state = model.createState();
  try {
    const start = performance.now();
    await prefill(model, [ids], state);
    await device.sync();
    return performance.now() - start;
  } finally {
    state.dispose();
  }
}

/** Milliseconds of each kernel in one piece, the longest first. */
async function profile(
  device: Device,
  model: XLSTMLarge,
): Promise<[string, { milliseconds: number; count: number }][]> {
  const arena = new Arena(device);
  const scope = new Scope(arena, { precision: 'mixed' });
  const state = model.createState();
  const length = pieceLength(device);
  const tokens = uploadPiece(scope, [idsOf(model, length)], 0, length);
  const program = device.record(() => {
    model.forward(scope, tokens, state);
  }, 'prefill piece');
  try {
    await program.profile();
    return byKernel(await program.profile());
  } finally {
    program.dispose();
    state.dispose();
    scope.dispose();
    arena.dispose();
  }
}

/** Reading a prompt: tokens per second, and where the time of one piece goes. */
const bench: Bench = {
  id: 'prefill',
  async run(device, report, skip) {
    const slow = device.kind === 'cpu' || device.info.software;
    const shapes = [
      { name: 'stories shape', config: STORIES, dtype: 'bf16', lengths: slow ? [128] : [2048] },
      { name: '7B shape', config: SEVEN_B, dtype: 'bf16', lengths: [2048, 16384] },
      { name: '7B shape', config: SEVEN_B, dtype: 'q4', lengths: [2048] },
    ] as const;
    for (const { name: shape, config, dtype, lengths } of shapes) {
      const name = `${shape}, ${dtype}`;
      if (slow && config.embeddingDim > 1000) {
        skip(`prefill ${name}`, '13.7 GFLOP a token are too much for a device in software');
        continue;
      }
      const relativeRms = await withGateModel(device, config, dtype, checkMixed);
      const model = await randomXlstmLarge(device, config, { dtype });
      try {
        for (const tokens of lengths) {
          const cold = await time(device, model, tokens);
          const again = [await time(device, model, tokens), await time(device, model, tokens)];
          const milliseconds = Math.min(...again);
          report({
            name: `prefill ${name}, ${tokens} tokens`,
            device: device.name,
            microseconds: 1e3 * milliseconds,
            columns: {
              'tokens/s': ((1e3 * tokens) / milliseconds).toFixed(0),
              'first, ms': cold.toFixed(0),
              'mixed to fp32': relativeRms.toExponential(1),
            },
          });
        }
        if (slow || !device.info.features.includes('timestamp-query')) continue;
        const kernels = await profile(device, model);
        const total = kernels.reduce((sum, [, { milliseconds: each }]) => sum + each, 0);
        for (const [kernel, { milliseconds: each, count }] of kernels.slice(0, 16)) {
          report({
            name: `  ${kernel}, ${count} times`,
            device: device.name,
            microseconds: 1e3 * each,
            columns: { share: `${((100 * each) / total).toFixed(1)} %` },
          });
        }
      } finally {
        model.dispose();
      }
    }
  },
};
export default bench;
