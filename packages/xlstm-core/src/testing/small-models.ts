import { Arena, type Device } from '@xlstm/device';
import { Scope, Tensor } from '@xlstm/tensor';
import { RandomStream } from '../initialisers/random-stream.ts';
import { XLSTMLMModel } from '../model/lm-model.ts';

/** A model as small as can be with one block of each kind. */
export const SMALL = {
  vocab_size: 13,
  embedding_dim: 8,
  num_blocks: 2,
  slstm_at: [1],
  mlstm_block: { mlstm: { num_heads: 2, round_proj_up_to_multiple_of: 8 } },
  slstm_block: {
    slstm: { num_heads: 2, recurrent_weight_init: 'standard' },
    feedforward: { round_proj_up_to_multiple_of: 8 },
  },
} as const;

/** Uploads `[B, S]` ids below the vocabulary, of random choice. */
export function randomIds(device: Device, B: number, S: number, seed = 1): Tensor {
  const random = new RandomStream(seed, 'ids');
  const ids = Int32Array.from({ length: B * S }, () => Math.floor(random.uniform() * SMALL.vocab_size));
  return new Tensor(device.from('i32', ids), [B, S]);
}

/**
 * A small model whose every parameter is random: what a new model has at zero (gate weights, norms) would hide mistakes.
 */
export async function randomModel(device: Device, overrides: Record<string, unknown> = {}): Promise<XLSTMLMModel> {
  const model = new XLSTMLMModel(device, { ...SMALL, ...overrides });
  const random = new RandomStream(5, 'weights');
  const weights = await model.readWeights();
  model.writeWeights(
    weights.map((weight) => ({ ...weight, data: weight.data.map((value) => value + 0.2 * random.normal()) })),
  );
  return model;
}

export async function floats(device: Device, tensor: Tensor): Promise<Float32Array> {
  return (await device.read(tensor.buffer)) as Float32Array;
}

/** The gradients of all parameters, by name. */
export async function gradientsOf(
  model: Pick<XLSTMLMModel, 'device' | 'parameters'>,
): Promise<Map<string, Float32Array>> {
  const gradients = new Map<string, Float32Array>();
  for (const { name, gradient } of model.parameters()) gradients.set(name, await floats(model.device, gradient));
  return gradients;
}

/** Runs `body` with an arena and a scope that end with it. */
export async function withScope<T>(device: Device, body: (scope: Scope, arena: Arena) => Promise<T>): Promise<T> {
  const arena = new Arena(device);
  const scope = new Scope(arena);
  try {
    return await body(scope, arena);
  } finally {
    scope.dispose();
    arena.dispose();
  }
}
