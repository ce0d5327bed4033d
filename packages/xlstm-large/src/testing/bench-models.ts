import { Arena, type Device, type ProfiledDispatch, type WeightDtype } from '@xlstm/device';
import { type Precision, Scope } from '@xlstm/tensor';
import { compare } from '@xlstm-tooling/kernel-harness';
import { parseConfig, type XlstmLargeConfig } from '../config.ts';
import type { XLSTMLarge } from '../model.ts';
import { uploadPiece } from '../prefill.ts';
import { randomXlstmLarge } from '../random-weights.ts';

/** The configuration of a shape by Hugging Face's names, all else as published. */
export const shapeOf = (shape: Record<string, number>): XlstmLargeConfig =>
  parseConfig({ model_type: 'xlstm', ...shape }, 'huggingface');

/** The published model of 7 billion parameters. */
export const SEVEN_B: XlstmLargeConfig = shapeOf({
  hidden_size: 4096,
  num_heads: 8,
  num_hidden_layers: 32,
  vocab_size: 50304,
});

/** The built-in model. */
export const STORIES: XlstmLargeConfig = shapeOf({
  hidden_size: 256,
  num_heads: 4,
  num_hidden_layers: 6,
  vocab_size: 4096,
});

/** Blocks that are enough to see whether results are right. */
const GATE_BLOCKS = 2;

/**
 * Runs `check` with a model of all of `config`'s widths and few of its blocks. Each random block makes an error larger,
 * 32 of them some hundred times: what products of fp16 differ by at the end of those says nothing.
 */
export async function withGateModel<T>(
  device: Device,
  config: XlstmLargeConfig,
  dtype: WeightDtype,
  check: (model: XLSTMLarge) => Promise<T>,
): Promise<T> {
  const numBlocks = Math.min(config.numBlocks, GATE_BLOCKS);
  const model = await randomXlstmLarge(device, { ...config, numBlocks }, { dtype });
  try {
    return await check(model);
  } finally {
    model.dispose();
  }
}

/** Token ids that go all over the vocabulary. */
export function idsOf(model: XLSTMLarge, tokens: number): number[] {
  return Array.from({ length: tokens }, (_, at) => (at * 7919) % model.config.vocabSize);
}

/** The logits of every position of `ids`, read at once. */
export async function logitsOf(model: XLSTMLarge, ids: readonly number[], precision: Precision): Promise<Float32Array> {
  using arena = new Arena(model.device);
  using scope = new Scope(arena, { precision });
  const state = model.createState();
  try {
    const hidden = model.forward(scope, uploadPiece(scope, [ids], 0, ids.length), state);
    return (await model.device.read(model.logits(scope, hidden).buffer)) as Float32Array;
  } finally {
    state.dispose();
  }
}

/** @throws Error where logits are not those expected, so that what is wrong is not timed; else how far they are apart */
export function requireLogits(what: string, actual: Float32Array, expected: Float32Array, relativeRms: number): number {
  const scale = Math.sqrt(expected.reduce((sum, value) => sum + value * value, 0) / expected.length);
  const result = compare(actual, expected, { relativeRms, atol: 20 * relativeRms * scale, rtol: 10 * relativeRms });
  if (!result.pass) throw new Error(`${what}: relative RMS ${result.relativeRms} of the logits; not timing it`);
  return result.relativeRms;
}

/** Milliseconds of each kernel, the longest first. */
export function byKernel(dispatches: readonly ProfiledDispatch[]): [string, { milliseconds: number; count: number }][] {
  const sums = new Map<string, { milliseconds: number; count: number }>();
  for (const { kernel, milliseconds } of dispatches) {
    const sum = sums.get(kernel) ?? { milliseconds: 0, count: 0 };
    sums.set(kernel, { milliseconds: sum.milliseconds + milliseconds, count: sum.count + 1 });
  }
  return [...sums].sort(([, a], [, b]) => b.milliseconds - a.milliseconds);
}
