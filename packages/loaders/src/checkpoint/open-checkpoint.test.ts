import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CheckpointError, DisposedError } from '@xlstm/device';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { blobSource } from '../byte-source/blob-source.ts';
import { bytesSource } from '../byte-source/bytes-source.ts';
import { encodeSafetensors } from '../safetensors/encode-safetensors.ts';
import { loadTensor } from '../tensor-stream/stream-tensor.ts';
import { openCheckpoint } from './open-checkpoint.ts';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const json = (value: unknown): Uint8Array => utf8(JSON.stringify(value));

/** A file whose tensor `name` holds `value`. */
function weights(...named: [string, number][]): Uint8Array<ArrayBuffer> {
  return encodeSafetensors(
    named.map(([name, value]) => ({ name, dtype: 'F32', shape: [1], data: new Float32Array([value]) })),
  );
}

type Files = Record<string, Uint8Array>;
const sources = (files: Files) => Object.entries(files).map(([name, bytes]) => bytesSource(bytes, name));
const index = (weightMap: unknown): Uint8Array => json({ metadata: { total_size: 8.0 }, weight_map: weightMap });

const shardA = 'model-00001-of-00002.safetensors';
const shardB = 'model-00002-of-00002.safetensors';
const sharded: Files = {
  'config.json': json({ model_type: 'xlstm' }),
  'model.safetensors.index.json': index({ a: shardA, b: shardB }),
  [shardA]: weights(['a', 1]),
  [shardB]: weights(['b', 2]),
};
const native: Files = {
  'config.yaml': utf8('embedding_dim: 64\nmode: inference\n'),
  'model_0.safetensors': weights(['embedding.weight', 1]),
  'model_1.safetensors': weights(['lm_head.weight', 2]),
};

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'xlstm-checkpoint-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function onDisk(files: Files): Promise<string> {
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, name), bytes);
  return folder;
}

describe.each(['a folder', 'sources'])('openCheckpoint from %s', (kind) => {
  const open = async (files: Files, signal?: AbortSignal) =>
    openCheckpoint(kind === 'sources' ? sources(files) : await onDisk(files), { signal });

  it('reads a sharded Hugging Face checkpoint', async () => {
    await using checkpoint = await open(sharded);
    expect(checkpoint.configFormat).toBe('huggingface');
    expect(checkpoint.config).toEqual({ model_type: 'xlstm' });
    expect([...checkpoint.tensors.keys()]).toEqual(['a', 'b']);
    expect([...(await loadTensor(checkpoint.tensors.get('b')!, 'fp32'))]).toEqual([2]);
    expect(checkpoint.tokenizerJson).toBeUndefined();
    expect(checkpoint.generationConfig).toBeUndefined();
  });

  it('reads a single file, and prefers it to an index', async () => {
    await using checkpoint = await open({ ...sharded, 'model.safetensors': weights(['only', 3]) });
    expect([...checkpoint.tensors.keys()]).toEqual(['only']);
  });

  it('reads the reference layout under the Hugging Face names', async () => {
    await using checkpoint = await open(native);
    expect(checkpoint.configFormat).toBe('native');
    expect(checkpoint.config).toEqual({ embedding_dim: 64, mode: 'inference' });
    const embedding = checkpoint.tensors.get('backbone.embeddings.weight')!;
    expect([...checkpoint.tensors.keys()]).toEqual(['backbone.embeddings.weight', 'lm_head.weight']);
    expect(embedding.name).toBe('backbone.embeddings.weight');
    expect([...(await loadTensor(embedding, 'fp32'))]).toEqual([1]);
  });

  it('leaves an embedding that already has the Hugging Face name', async () => {
    await using checkpoint = await open({
      ...native,
      'model_0.safetensors': weights(['backbone.embeddings.weight', 4]),
    });
    expect(checkpoint.tensors.has('backbone.embeddings.weight')).toBe(true);
  });

  it('parses the small files beside the weights', async () => {
    await using checkpoint = await open({
      ...sharded,
      'generation_config.json': json({ eos_token_id: 2 }),
      'tokenizer_config.json': json({ add_bos_token: true }),
      'tokenizer.json': json({ model: { type: 'BPE' } }),
    });
    expect(checkpoint.generationConfig).toEqual({ eos_token_id: 2 });
    expect(checkpoint.tokenizerConfig).toEqual({ add_bos_token: true });
    expect(await checkpoint.tokenizerJson?.()).toEqual({ model: { type: 'BPE' } });
  });

  it('takes the chat template from its own file where there is one', async () => {
    const files = {
      ...sharded,
      'tokenizer_config.json': json({ add_bos_token: true, chat_template: 'old' }),
      'chat_template.jinja': new TextEncoder().encode('new'),
    };
    await using checkpoint = await open(files);
    expect(checkpoint.tokenizerConfig).toEqual({ add_bos_token: true, chat_template: 'new' });
  });

  const mapped = (weightMap: unknown): Files => ({ ...sharded, 'model.safetensors.index.json': index(weightMap) });
  const duplicated = utf8(`{"weight_map":{"a":"${shardA}","b":"${shardB}","a":"${shardB}"}}`);
  const without = (files: Files, name: string): Files =>
    Object.fromEntries(Object.entries(files).filter(([key]) => key !== name));
  it.each<[string, Files, RegExp]>([
    [
      'no files',
      {},
      /looked for config\.json with model\.safetensors.*config\.yaml with model_0\.safetensors; found no files/,
    ],
    [
      'weights of another format',
      { 'config.json': json({}), 'pytorch_model.bin': new Uint8Array(4) },
      /found config\.json, pytorch_model\.bin/,
    ],
    ['no config', without(sharded, 'config.json'), /holds no checkpoint/],
    ['a missing shard', without(sharded, shardB), /shard model-00002-of-00002\.safetensors is missing/],
    [
      'a truncated shard',
      { ...sharded, [shardB]: sharded[shardB]!.subarray(0, -1) },
      /model-00002-of-00002\.safetensors.*truncated/s,
    ],
    [
      'a tensor that its shard lacks',
      mapped({ a: shardA, b: shardB, c: shardB }),
      /says that "c" is in model-00002.*lacks it/,
    ],
    [
      'a tensor in another shard than said',
      mapped({ a: shardB, b: shardA }),
      /"a" is in model-00002.*it is in model-00001/,
    ],
    ['a tensor that the index does not name', { ...sharded, [shardB]: weights(['b', 2], ['x', 1]) }, /none for "x"/],
    ['a tensor in two shards', { ...sharded, [shardB]: weights(['a', 1], ['b', 2]) }, /"a" in both/],
    [
      'a tensor named twice in the index',
      { ...sharded, 'model.safetensors.index.json': duplicated },
      /duplicate key "a"/,
    ],
    [
      'an index without weight_map',
      { ...sharded, 'model.safetensors.index.json': json({ metadata: {} }) },
      /weight_map/,
    ],
    [
      'an index that is not JSON',
      { ...sharded, 'model.safetensors.index.json': utf8('{') },
      /index\.json.*not valid JSON/,
    ],
    ['an empty weight_map', mapped({}), /weight_map/],
    ['a weight_map of numbers', mapped({ a: 1 }), /got 1;/],
    [
      'a config that is not JSON',
      { ...sharded, 'config.json': utf8('{"norm_eps": NaN}') },
      /config\.json.*must be JSON/,
    ],
    ['a config that is not an object', { ...sharded, 'config.json': utf8('[1]') }, /config\.json.*named fields/],
    ['a config of invalid UTF-8', { ...sharded, 'config.json': new Uint8Array([0xff]) }, /config\.json.*must be UTF-8/],
    [
      'a damaged generation config',
      { ...sharded, 'generation_config.json': utf8('') },
      /generation_config\.json.*must be JSON/,
    ],
    [
      'a gap in the numbering',
      { ...native, 'model_3.safetensors': weights(['x', 1]) },
      /model_2\.safetensors is missing.*goes on to model_3/,
    ],
    ['no shard 0', without(native, 'model_0.safetensors'), /model_0\.safetensors is missing/],
    [
      'a tensor twice',
      { ...native, 'model_2.safetensors': weights(['lm_head.weight', 1]) },
      /"lm_head\.weight" from model_1/,
    ],
    [
      'an embedding under both names',
      { ...native, 'model_2.safetensors': weights(['backbone.embeddings.weight', 1]) },
      /"backbone\.embeddings\.weight" from model_0/,
    ],
    ['a config that is not YAML', { ...native, 'config.yaml': utf8('a: [1') }, /config\.yaml.*must be YAML/],
    ['a YAML config with a repeated key', { ...native, 'config.yaml': utf8('a: 1\na: 2\n') }, /must be YAML.*unique/is],
    ['a YAML config without fields', { ...native, 'config.yaml': utf8('- 1\n') }, /named fields/],
    [
      'a YAML config of megabytes',
      { ...native, 'config.yaml': new Uint8Array(2 ** 20 + 1).fill(35) },
      /at most 1048576 bytes/,
    ],
  ])('refuses %s', async (_, files, message) => {
    const opening = open(files);
    await expect(opening).rejects.toThrow(CheckpointError);
    await expect(opening).rejects.toThrow(message);
  });

  it.each([
    '../model.safetensors',
    '..',
    '/etc/model.safetensors',
    'sub/model.safetensors',
    'sub\\model.safetensors',
    'C:model.safetensors',
    '%2e%2e%2fmodel.safetensors',
    'https://example.com/model.safetensors',
    '.safetensors',
    'a\0.safetensors',
    'config.json',
    '',
  ])('refuses an index that names %j', async (name) => {
    const opening = open(mapped({ a: name, b: shardB }));
    await expect(opening).rejects.toThrow(CheckpointError);
    await expect(opening).rejects.toThrow(/"a" must lie in a \.safetensors file of the same folder/);
  });

  it('stops on an abort', async () => {
    const reason = new Error('stop');
    await expect(open(sharded, AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});

describe('openCheckpoint', () => {
  it('closes the files of a folder, and only those', async () => {
    const checkpoint = await openCheckpoint(await onDisk({ ...sharded, 'tokenizer.json': json({}) }));
    await checkpoint.close();
    await expect(loadTensor(checkpoint.tensors.get('a')!, 'fp32')).rejects.toThrow(DisposedError);
    await expect(checkpoint.tokenizerJson?.()).rejects.toThrow(DisposedError);
    const lent = sources(sharded);
    const second = await openCheckpoint(lent);
    await second.close();
    expect(await lent[0]!.read(0, 1)).toHaveLength(1);
  });

  it('reads picked files', async () => {
    const blobs = Object.entries(sharded).map(([name, bytes]) =>
      blobSource(new Blob([bytes as Uint8Array<ArrayBuffer>]), name),
    );
    await using checkpoint = await openCheckpoint(blobs);
    expect([...(await loadTensor(checkpoint.tensors.get('a')!, 'fp32'))]).toEqual([1]);
  });

  it('refuses two sources of one name, and a folder that is not there', async () => {
    await expect(openCheckpoint([...sources(sharded), ...sources(sharded)])).rejects.toThrow(/"config\.json" twice/);
    await expect(openCheckpoint(join(folder, 'absent'))).rejects.toThrow(/cannot list the folder .*absent/);
  });
});
