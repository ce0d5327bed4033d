import { defineKernel, type Kernel, OptionError, ShapeError } from '@xlstm/device';
import type { Scope } from '../../scope.ts';
import { requireContiguous, type Tensor } from '../../tensor.ts';
import { checkSamplingOptions, type SamplingOptions } from './options.ts';
import { sampleReference } from './reference.ts';
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

function randomSeed(): bigint {
  const [low, high] = crypto.getRandomValues(new Uint32Array(2));
  return (BigInt(high!) << 32n) | BigInt(low!);
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
  const [B, V] = logits.shape;
  if (logits.shape.length !== 2 || B === undefined || !V) {
    throw new ShapeError(`sampleToken: logits must be [B, V], got [${logits.shape}]; take the last position's`);
  }
  requireContiguous('sampleToken', 'logits', logits);
  requireContiguous('sampleToken', 'token', token, [B]);
  requireContiguous('sampleToken', 'counter', counter, [B]);
  if (seen) requireContiguous('sampleToken', 'seen', seen, [B, V]);
  else if (checked.repetitionPenalty !== 1) {
    throw new OptionError(
      `sampleToken: repetitionPenalty ${checked.repetitionPenalty} needs the tokens seen so far; pass seen [B, V]`,
    );
  }
  scope.device.launch(sampleKernel, {
    buffers: { logits: logits.buffer, seen: seen?.buffer, counter: counter.buffer, token: token.buffer },
    params: {
      B,
      V,
      ...checked,
      // A larger k keeps everything, as does 0; it must fit 32 bits.
      topK: Math.min(checked.topK, V),
      seedLow: Number(seed & 0xffffffffn),
      seedHigh: Number(seed >> 32n),
    },
  });
}
