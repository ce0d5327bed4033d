import { Arena, type Device, type ProfiledDispatch } from '@xlstm/device';
import { type Precision, Scope } from '@xlstm/tensor';
import { type Bench, compare } from '@xlstm-tooling/kernel-harness';
import { parseConfig } from './config.ts';
import type { XLSTMLarge } from './model.ts';
import { pieceLength, prefill, uploadPiece } from './prefill.ts';
import { randomXlstmLarge } from './random-weights.ts';

const SEVEN_B = { model_type: 'xlstm', hidden_size: 4096, num_heads: 8, num_hidden_layers: 32, vocab_size: 50304 };
const STORIES = { model_type: 'xlstm', hidden_size: 256, num_heads: 4, num_hidden_layers: 6, vocab_size: 4096 };

const idsOf = (model: XLSTMLarge, tokens: number) =>
  Array.from({ length: tokens }, (_, at) => (at * 7919) % model.config.vocabSize);

async function lastLogits(
  device: Device,
  model: XLSTMLarge,
  ids: number[],
  precision: Precision,
): Promise<Float32Array> {
  using arena = new Arena(device);
  using scope = new Scope(arena, { precision });
  const state = model.createState();
  try {
    const hidden = model.forward(scope, uploadPiece(scope, [ids], 0, ids.length), state);
    return (await device.read(model.logits(scope, hidden).buffer)) as Float32Array;
  } finally {
    state.dispose();
  }
}

/** Gate: products of fp16 operands must give what float32 ones do, within fp16's rounding. */
async function checkMixed(device: Device, model: XLSTMLarge): Promise<number> {
  const ids = idsOf(model, 72);
  const expected = await lastLogits(device, model, ids, 'fp32');
  const actual = await lastLogits(device, model, ids, 'mixed');
  const { pass, relativeRms } = compare(actual, expected, { relativeRms: 1e-2, atol: 0.2, rtol: 0.05 });
  if (!pass) throw new Error(`prefill: mixed and fp32 disagree (relative RMS ${relativeRms}); not timing it`);
  return relativeRms;
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
    const sums = new Map<string, { milliseconds: number; count: number }>();
    for (const { kernel, milliseconds } of (await program.profile()) as readonly ProfiledDispatch[]) {
      const sum = sums.get(kernel) ?? { milliseconds: 0, count: 0 };
      sums.set(kernel, { milliseconds: sum.milliseconds + milliseconds, count: sum.count + 1 });
    }
    return [...sums].sort(([, a], [, b]) => b.milliseconds - a.milliseconds);
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
      { name: 'stories shape', raw: STORIES, lengths: slow ? [128] : [2048] },
      { name: '7B shape', raw: SEVEN_B, lengths: [2048, 16384] },
    ];
    for (const { name, raw, lengths } of shapes) {
      if (slow && raw.hidden_size > 1000) {
        skip(`prefill ${name}`, '13.7 GFLOP a token are too much for a device in software');
        continue;
      }
      const model = await randomXlstmLarge(device, parseConfig(raw, 'huggingface'), { dtype: 'bf16' });
      try {
        const relativeRms = await checkMixed(device, model);
        for (const tokens of lengths) {
          const cold = await time(device, model, tokens);
          const again = [await time(device, model, tokens), await time(device, model, tokens)];
          const milliseconds = Math.min(...again);
          report({
            name: `prefill ${name}, bf16, ${tokens} tokens`,
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
