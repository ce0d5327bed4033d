import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { run } from '../run.ts';

function stream(): { stream: NodeJS.WriteStream; text: () => string } {
  const pass = new PassThrough();
  let text = '';
  pass.on('data', (data) => {
    text += String(data);
  });
  return { stream: pass as unknown as NodeJS.WriteStream, text: () => text };
}

/** Runs the command in this process. */
export async function train(
  argv: readonly string[],
  signal: AbortSignal = new AbortController().signal,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const [stdout, stderr] = [stream(), stream()];
  const code = await run(argv, { stdout: stdout.stream, stderr: stderr.stream, signal });
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}

/** Fields of a small model with a block of each kind, as YAML. */
export const CORE_MODEL =
  '{ kind: xlstm-core, embedding_dim: 16, num_blocks: 2, slstm_at: [1], mlstm_block: { mlstm: { num_heads: 2 } }, slstm_block: { slstm: { num_heads: 2 }, feedforward: {} } }';

/** The exported weights of a run. */
export async function weights(outDir: string, folder = 'model'): Promise<Buffer> {
  return readFile(join(outDir, folder, 'model.safetensors'));
}
