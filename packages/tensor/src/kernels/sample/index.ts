import { defineKernel, type Kernel, OptionError, ShapeError } from '@xlstm/device';
import type { Scope } from '../../scope.ts';
import { requireContiguous, type Tensor } from '../../tensor.ts';
import { checkSamplingOptions, type SamplingOptions } from './options.ts';
import { sampleReference } from './reference.ts';
import { SETTINGS_WORDS, settingsOf, writeSettings } from './settings.ts';
import { bindings, params } from './signature.ts';
import { sampleWebGpu } from './webgpu.ts';

export const sampleKernel: Kernel<typeof bindings, typeof params> = defineKernel({
  id: 'sample',
  bindings,
  params,
  webgpu: sampleWebGpu,
  reference: sampleReference,
});

/** The tensors of `sampleToken`. */
export interface SampleTensors {
  /** `[B, V]` fp32, contiguous */
  logits: Tensor;
  /** `[B]` i32: receives the tokens. */
  token: Tensor;
  /** `[B]` u32: each row's count of draws so far, which with the seed makes its random number; grows by one. */
  counter: Tensor;
  /** `[B, V]` u32: not 0 where the token occurred before; the chosen one is set to 1. Needed for a penalty. */
  seen?: Tensor | undefined;
}

/** The tensors of `sampleRows`. */
export interface SampleRowsTensors extends SampleTensors {
  /** `[B, 8]` u32: what each row is drawn with, a row as `samplingSettings` makes it. */
  settings: Tensor;
}

function randomSeed(): bigint {
  const [low, high] = crypto.getRandomValues(new Uint32Array(2));
  return (BigInt(high!) << 32n) | BigInt(low!);
}

function checkTensors(operation: string, { logits, token, counter, seen }: SampleTensors): { B: number; V: number } {
  const [B, V] = logits.shape;
  if (logits.shape.length !== 2 || B === undefined || !V) {
    throw new ShapeError(`${operation}: logits must be [B, V], got [${logits.shape}]; take the last position's`);
  }
  requireContiguous(operation, 'logits', logits);
  requireContiguous(operation, 'token', token, [B]);
  requireContiguous(operation, 'counter', counter, [B]);
  if (seen) requireContiguous(operation, 'seen', seen, [B, V]);
  return { B, V };
}

/**
 * Chooses one token a row on the device: repetition penalty, temperature, top-k, top-p, min-p, then a draw. NaN and
 * −∞ are never drawn. The same seed, counter and row draw alike on every device.
 *
 * @throws OptionError for options outside their range or a penalty without `seen`; ShapeError when shapes differ.
 * Source: the usual filters in Hugging Face's order; random words are Philox4x32-10 (Salmon et al., 2011).
 * @example
 * ```ts
 * sampleToken(scope, { logits, token, counter }, { temperature: 0.8, topP: 0.95, seed: 7 })
 * ```
 */
export function sampleToken(scope: Scope, tensors: SampleTensors, options: SamplingOptions = {}): void {
  const { logits, token, counter, seen } = tensors;
  const { seed = randomSeed(), ...checked } = checkSamplingOptions('sampleToken', options);
  const { B, V } = checkTensors('sampleToken', tensors);
  if (!seen && checked.repetitionPenalty !== 1) {
    throw new OptionError(
      `sampleToken: repetitionPenalty ${checked.repetitionPenalty} needs the tokens seen so far; pass seen [B, V]`,
    );
  }
  scope.device.launch(sampleKernel, {
    buffers: {
      logits: logits.buffer,
      seen: seen?.buffer,
      counter: counter.buffer,
      token: token.buffer,
      settings: undefined,
    },
    params: { B, V, ...settingsOf({ ...checked, seed }, V) },
  });
}

/** What `sampleRows` overrules for every row. */
const UNUSED = {
  temperature: 1,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  seedLow: 0,
  seedHigh: 0,
} as const;

/**
 * As `sampleToken`, but each row is drawn with settings of its own, which are contents of a buffer: one recorded program
 * serves sequences that are sampled differently, and goes on serving when they change. A repetition penalty in the settings
 * works where `seen` is given and is 1 where it is not.
 *
 * @throws ShapeError when shapes differ.
 * @example
 * ```ts
 * device.upload(settings.buffer, samplingSettings({ temperature: 0 }, V), 0)
 * device.upload(settings.buffer, samplingSettings({ topP: 0.9, seed: 7 }, V), 8)
 * sampleRows(scope, { logits, token, counter, settings })
 * ```
 */
export function sampleRows(scope: Scope, tensors: SampleRowsTensors): void {
  const { logits, token, counter, seen, settings } = tensors;
  const { B, V } = checkTensors('sampleRows', tensors);
  requireContiguous('sampleRows', 'settings', settings, [B, SETTINGS_WORDS]);
  scope.device.launch(sampleKernel, {
    buffers: {
      logits: logits.buffer,
      seen: seen?.buffer,
      counter: counter.buffer,
      token: token.buffer,
      settings: settings.buffer,
    },
    params: { B, V, ...UNUSED },
  });
}

/**
 * One row of `settings [B, 8]` for `sampleRows`: it draws as the first row of `sampleToken` does with these options,
 * wherever it stands in the batch.
 *
 * @returns `[8]` u32
 * @throws OptionError for options outside their range.
 */
export function samplingSettings(options: SamplingOptions, vocabSize: number): Uint32Array {
  const { seed = randomSeed(), ...checked } = checkSamplingOptions('samplingSettings', options);
  return writeSettings({ ...settingsOf({ ...checked, seed }, vocabSize), stream: 0 });
}
