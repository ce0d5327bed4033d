import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fileSource } from '../node/file-source.ts';
import { openSafetensors, readTensorBytes } from '../safetensors/open-safetensors.ts';
import { floatDtypeOf } from '../safetensors/safetensors-dtype.ts';
import { loadTensor, streamTensor } from '../tensor-stream/stream-tensor.ts';
import { goldenFolder, skipWithout, storiesFolder } from '../testing/golden-folder.ts';
import { type Checkpoint, openCheckpoint } from './open-checkpoint.ts';

const large = join(goldenFolder, 'large');
const sourcesOf = (checkpoint: Checkpoint) => new Set([...checkpoint.tensors.values()].map((info) => info.source));

describe.skipIf(skipWithout(large))('golden checkpoints', () => {
  it('reads the reference layout: every tensor equals the golden parameter', async () => {
    const folder = join(large, 'native-checkpoint');
    await using checkpoint = await openCheckpoint(join(folder, 'checkpoint'));
    const source = await fileSource(join(folder, 'tensors.safetensors'));
    const golden = await openSafetensors(source);
    const params = [...golden.tensors.keys()].filter((name) => name.startsWith('param.'));
    expect(checkpoint.configFormat).toBe('native');
    expect(checkpoint.config).toMatchObject({ embedding_dim: 64, num_heads: 2, mode: 'inference' });
    expect(checkpoint.tensors.size).toBe(params.length);
    for (const param of params) {
      const name = param.slice('param.'.length).replace(/^embedding\./, 'backbone.embeddings.');
      const info = checkpoint.tensors.get(name)!;
      expect(info.shape).toEqual(golden.tensors.get(param)!.shape);
      const expected = await readTensorBytes(golden.tensors.get(param)!);
      expect(Buffer.compare(await readTensorBytes(info), expected), name).toBe(0);
    }
    await source.close();
  });

  it.each([
    ['hf-float32', 'F32'],
    ['hf-bfloat16', 'BF16'],
  ])('reads %s: every tensor that the index names, all %s', async (name, dtype) => {
    const folder = join(large, name, 'checkpoint');
    await using checkpoint = await openCheckpoint(folder);
    const index = JSON.parse(await readFile(join(folder, 'model.safetensors.index.json'), 'utf8'));
    const infos = [...checkpoint.tensors.values()];
    expect(Object.keys(index.weight_map).sort()).toEqual([...checkpoint.tensors.keys()].sort());
    expect(infos.reduce((sum, info) => sum + info.byteLength, 0)).toBe(index.metadata.total_size);
    expect(infos.every((info) => info.dtype === dtype)).toBe(true);
    expect(checkpoint.config).toMatchObject({ model_type: 'xlstm', num_blocks: 3 });
    expect(checkpoint.generationConfig).toMatchObject({ eos_token_id: 2 });
    const norm = await loadTensor(checkpoint.tensors.get('backbone.out_norm.weight')!, 'fp32');
    expect(norm.every(Number.isFinite)).toBe(true);
  });

  it.each(['hf-float32', 'hf-bfloat16', 'native-checkpoint'])('loads each tensor of %s once', async (name) => {
    await using checkpoint = await openCheckpoint(join(large, name, 'checkpoint'));
    for (const info of checkpoint.tensors.values()) {
      const target = floatDtypeOf(info.dtype) === 'bf16' ? 'fp32' : 'bf16';
      let elements = 0;
      for await (const { data } of streamTensor(info, target, { pieceBytes: 5000 })) elements += data.length;
      expect(elements).toBe(info.shape.reduce((product, size) => product * size, 1));
    }
    for (const source of sourcesOf(checkpoint)) expect(source.bytesRead).toBe(source.size);
  });
});

describe.skipIf(skipWithout(storiesFolder))('the stories model', () => {
  it('opens with tokenizer and generation config, reading no more than the headers', async () => {
    await using checkpoint = await openCheckpoint(storiesFolder);
    expect(checkpoint.config).toMatchObject({ model_type: 'xlstm', embedding_dim: 256, num_blocks: 6 });
    expect(await checkpoint.tokenizerJson?.()).toMatchObject({ model: { type: 'BPE' } });
    expect(checkpoint.tokenizerConfig).toBeDefined();
    const shards = [...sourcesOf(checkpoint)];
    const data = [...checkpoint.tensors.values()].reduce((sum, info) => sum + info.byteLength, 0);
    const read = shards.reduce((sum, source) => sum + source.bytesRead, 0);
    expect(read).toBe(shards.reduce((sum, source) => sum + source.size, 0) - data);
  });
});
