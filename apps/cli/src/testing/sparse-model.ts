import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { safetensorsLayout } from '@xlstm/loaders';
import { defaultDims, parameterTable, parseConfig } from '@xlstm/xlstm-large';

/** The published 7B model's configuration, as far as it says something about sizes. */
export const SEVEN_BILLION = {
  model_type: 'xlstm',
  vocab_size: 50304,
  hidden_size: 4096,
  embedding_dim: 4096,
  num_hidden_layers: 32,
  num_blocks: 32,
  num_heads: 8,
} as const;

/**
 * Writes a float32 model of real shapes whose weights are holes in sparse files: zeros that take no room on disk. One file
 * for each of the embedding, the blocks and the head.
 */
export async function writeSparseModel(folder: string, numBlocks: number, vocabSize = 50304): Promise<void> {
  const raw = { ...SEVEN_BILLION, num_hidden_layers: numBlocks, num_blocks: numBlocks, vocab_size: vocabSize };
  const config = parseConfig(raw, 'huggingface');
  const { tensors } = parameterTable(config, defaultDims(config));
  const partOf = (name: string) => /blocks\.(\d+)\./.exec(name)?.[1] ?? name;
  const parts = [...new Set(tensors.map(({ name }) => partOf(name)))];
  const weightMap: Record<string, string> = {};
  await mkdir(folder, { recursive: true });
  for (const [at, part] of parts.entries()) {
    const pad = (value: number) => String(value).padStart(5, '0');
    const file = `model-${pad(at + 1)}-of-${pad(parts.length)}.safetensors`;
    const own = tensors.filter(({ name }) => partOf(name) === part);
    const layout = safetensorsLayout(own.map(({ name, shape }) => ({ name, shape, dtype: 'F32' as const })));
    for (const { name } of own) weightMap[name] = file;
    const handle = await open(join(folder, file), 'w');
    await handle.write(layout.header, 0, layout.header.byteLength, 0);
    await handle.truncate(layout.byteLength);
    await handle.close();
  }
  await writeFile(join(folder, 'config.json'), JSON.stringify(raw));
  await writeFile(
    join(folder, 'model.safetensors.index.json'),
    JSON.stringify({ metadata: { total_size: 0 }, weight_map: weightMap }),
  );
}
