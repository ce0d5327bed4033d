import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Sentences that a small model learns in a few steps. */
export function smallText(documents = 8): string {
  const tale = (fox: number) =>
    `Once upon a time there was a fox number ${fox} who said hello to the king.\nThe king laughed and the fox ran away.\n`;
  return Array.from({ length: documents }, (_, fox) => tale(fox)).join('<|endoftext|>\n');
}

/** A run of a tiny model over a made-up text, in a folder of its own. Overrides are lines of YAML. */
export async function smallRun(
  folder: string,
  sections: Readonly<Record<string, string>> = {},
): Promise<{ config: string; outDir: string }> {
  await mkdir(folder, { recursive: true });
  const text = join(folder, 'tales.txt');
  await writeFile(text, smallText());
  const outDir = join(folder, 'run');
  const fields: Record<string, string> = {
    out_dir: JSON.stringify(outDir),
    device: 'cpu',
    model: '{ kind: xlstm-large, embedding_dim: 16, num_heads: 2, num_blocks: 1 }',
    data: `{ train: [${JSON.stringify(text)}], validation: [${JSON.stringify(text)}], sequence_length: 16 }`,
    train: '{ max_steps: 12, global_batch_size: 4, micro_batch_size: 2, dropout: 0.1 }',
    optimizer: '{ lr: 1e-2 }',
    eval: '{ interval: 6, batches: 2 }',
    checkpoint: '{ interval: 4, keep: 3 }',
    logger: '{ report: false }',
    ...sections,
  };
  const config = join(folder, 'config.yaml');
  await writeFile(
    config,
    Object.entries(fields)
      .map(([name, value]) => `${name}: ${value}\n`)
      .join(''),
  );
  return { config, outDir };
}
