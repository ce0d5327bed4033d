import { encodeSafetensors } from '../safetensors/encode-safetensors.ts';
import type { RepositoryFile } from './hub-server.ts';

const json = (value: unknown): RepositoryFile => ({
  bytes: new TextEncoder().encode(JSON.stringify(value)),
  large: false,
});

function shard(name: string, elements: number): RepositoryFile {
  const data = Float32Array.from({ length: elements }, (_, index) => Math.sin(index) * elements);
  return { bytes: encodeSafetensors([{ name, dtype: 'F32', shape: [elements], data }]), large: true };
}

/** A sharded checkpoint of some 200 kB with things beside it that no checkpoint needs. */
export function tinyRepository(): Record<string, RepositoryFile> {
  const shards = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'] as const;
  return {
    '.gitattributes': json({}),
    'README.md': json('not needed'),
    'pytorch_model.bin': { bytes: new Uint8Array(5000), large: true },
    'config.json': json({ model_type: 'xlstm', embedding_dim: 64 }),
    'generation_config.json': json({ max_length: 10 }),
    'tokenizer.json': json({
      model: { vocab: Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`t${i}`, i])) },
    }),
    'model.safetensors.index.json': json({ weight_map: { a: shards[0], b: shards[1] } }),
    [shards[0]]: shard('a', 30_000),
    [shards[1]]: shard('b', 20_001),
  };
}

/** Names that a checkpoint needs of it. */
export const NEEDED: readonly string[] = [
  'config.json',
  'generation_config.json',
  'model-00001-of-00002.safetensors',
  'model-00002-of-00002.safetensors',
  'model.safetensors.index.json',
  'tokenizer.json',
];
