import { type Device, encodeFromFloat32, type WeightDtype } from '@xlstm/device';
import { defaultDims, parseConfig, type XlstmLargeConfig } from '../config.ts';
import { XLSTMLarge } from '../model.ts';
import { parameterTable } from '../parameters.ts';
import type { WeightSource } from '../weight-source.ts';

/** A small configuration; fields may be overridden. */
export function tinyConfig(overrides: Record<string, unknown> = {}): XlstmLargeConfig {
  return parseConfig(
    {
      model_type: 'xlstm',
      hidden_size: 64,
      num_heads: 2,
      num_hidden_layers: 2,
      vocab_size: 96,
      bos_token_id: 0,
      eos_token_id: 1,
      ...overrides,
    },
    'huggingface',
  );
}

/** Repeatable pseudo-random weights by tensor name, of a size at which generation does not collapse at once. */
export function randomWeights(config: XlstmLargeConfig, seed = 1): WeightSource {
  const table = parameterTable(config, defaultDims(config));
  const shapes = new Map(table.tensors.map(({ name, shape }) => [name, shape]));
  const values = (name: string): Float32Array => {
    const shape = shapes.get(name)!;
    let state = seed;
    for (const letter of name) state = (Math.imul(state, 31) + letter.charCodeAt(0)) >>> 0;
    const scale = shape.length === 1 ? 0.1 : 2 / Math.sqrt(shape[1]!);
    const mean =
      name.includes('norm') && name.endsWith('weight') ? 1 : name.includes('fgate') && shape.length === 1 ? 4 : 0;
    return Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return mean + scale * (state / 2 ** 31 - 1);
    });
  };
  return {
    shapeOf: (name) => shapes.get(name),
    *stream(name, dtype) {
      const data = encodeFromFloat32(values(name), dtype);
      // Two pieces, so that offsets matter.
      const half = (data.length >> 2) * 2;
      yield { elementOffset: 0, data: data.subarray(0, half) as Float32Array | Uint16Array };
      yield { elementOffset: half, data: data.subarray(half) as Float32Array | Uint16Array };
    },
  };
}

/** A small model with pseudo-random weights. */
export async function randomModel(
  device: Device,
  options: { config?: XlstmLargeConfig; dtype?: WeightDtype; seed?: number } = {},
): Promise<XLSTMLarge> {
  const config = options.config ?? tinyConfig();
  return XLSTMLarge.load(device, config, randomWeights(config, options.seed), { dtype: options.dtype ?? 'fp32' });
}
