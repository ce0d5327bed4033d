import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCpuDevice } from '@xlstm/device';
import { afterEach, describe, expect, it } from 'vitest';
import { fromPretrained, WEIGHT_DTYPES, type WeightDtype } from 'xlstm';
import { builtInModel } from '../installed.ts';
import { captureRun } from '../testing/captured-run.ts';
import type { ModelReport } from './inspect-model.ts';

const golden = process.env.XLSTM_GOLDEN ?? join(import.meta.dirname, '../../../../../shared/golden');
const large = join(golden, 'large');
if (!existsSync(large)) console.warn(`skipped: no golden vectors at ${golden}; set XLSTM_GOLDEN to their folder`);

async function inspect(model: string): Promise<{ code: number; stderr: string; report: ModelReport }> {
  const { code, stdout, stderr } = await captureRun(['inspect', model, '--json']);
  return { code, stderr, report: JSON.parse(stdout) as ModelReport };
}

describe('inspect', () => {
  it('knows the built-in model', async () => {
    const { code, stderr, report } = await inspect(builtInModel);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(report).toMatchObject({
      format: 'huggingface',
      config: { embeddingDim: 256, numBlocks: 6, numHeads: 4, vocabSize: 4096 },
      dims: { DHQK: 32, DHHV: 64 },
      tokenizer: { kind: 'tokenizer.json', vocabSize: 4096, bosId: 0, eosIds: [0] },
      parameters: 6_931_248,
      bytesByDtype: { BF16: 2 * 6_931_248 },
      agrees: true,
      unused: [],
      problems: [],
    });
    expect(report.tensors).toHaveLength(93);
    expect(report.tensors.find(({ name }) => name === 'lm_head.weight')).toMatchObject({
      dtype: 'BF16',
      shape: [4096, 256],
      bytes: 2 * 4096 * 256,
      file: 'model-00003-of-00003.safetensors',
    });
  });

  it('prints the same for people', async () => {
    const { code, stdout } = await captureRun(['inspect']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^parameters\s+6,931,248 in 93 tensors \(BF16 13\.9 MB\)$/m);
    expect(stdout).toMatch(/^check\s+configuration and tensors agree$/m);
    expect(stdout).toMatch(
      /^\s+lm_head\.weight\s+BF16\s+\[4096, 256\]\s+2\.10 MB\s+model-00003-of-00003\.safetensors$/m,
    );
  });

  it.each(WEIGHT_DTYPES)('foretells what a loaded model takes in %s', async (dtype: WeightDtype) => {
    const device = createCpuDevice();
    const model = await fromPretrained(builtInModel, { device, dtype });
    const state = model.createState();
    const { report } = await inspect(builtInModel);
    expect(report.memory![dtype]).toEqual({
      weights: model.model.weights.byteLength,
      state: state.byteLength,
      total: model.model.weights.byteLength + state.byteLength,
    });
    state.dispose();
    await model.dispose();
    device.dispose();
  });

  it.skipIf(!existsSync(large)).each([
    ['hf-float32', 'huggingface', 'F32'],
    ['hf-bfloat16', 'huggingface', 'BF16'],
    ['native-checkpoint', 'native', 'F32'],
  ])('reads %s', async (name, format, dtype) => {
    const { code, report } = await inspect(join(large, name, 'checkpoint'));
    expect(code).toBe(0);
    expect(report).toMatchObject({ format, agrees: true, unused: [], problems: [] });
    expect(Object.keys(report.bytesByDtype)).toEqual([dtype]);
    expect(report.tensors.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(report.bytesByDtype[dtype]);
    // Without a tokenizer.json text is bytes, for which a vocabulary of 128 is too small.
    expect(report.tokenizer?.kind).toBe(report.config!.vocabSize >= 259 ? 'bytes' : undefined);
  });
});

describe('inspect of a broken checkpoint', () => {
  let folder: string | undefined;
  afterEach(async () => {
    if (folder) await rm(folder, { recursive: true });
    folder = undefined;
  });

  async function copy(): Promise<string> {
    folder = await mkdtemp(join(tmpdir(), 'xlstm-inspect-'));
    await cp(builtInModel, folder, { recursive: true });
    return folder;
  }

  it('shows all that is sound beside a truncated shard', async () => {
    const model = await copy();
    await truncate(join(model, 'model-00002-of-00003.safetensors'), 100_000);
    const { code, stderr, report } = await inspect(model);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: .*model-00002-of-00003\.safetensors.*truncated/m);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(report).toMatchObject({ format: 'huggingface', config: { numBlocks: 6 }, agrees: false });
    expect(report.tokenizer).toMatchObject({ kind: 'tokenizer.json' });
    expect(report.tensors.length).toBeGreaterThan(20);
    expect(report.memory!.fp32.weights).toBe((await inspect(builtInModel)).report.memory!.fp32.weights);
  });

  it('names a missing shard', async () => {
    const model = await copy();
    await rm(join(model, 'model-00003-of-00003.safetensors'));
    const { code, stderr, report } = await inspect(model);
    expect(code).toBe(1);
    expect(stderr).toMatch(/shard model-00003-of-00003\.safetensors is missing/);
    expect(report.agrees).toBe(false);
  });

  it.each([
    ['another size', { embedding_dim: 512, hidden_size: 512 }, /configuration means 512|must be \[/],
    ['more blocks', { num_blocks: 7, num_hidden_layers: 7 }, /tensor backbone\.blocks\.6\.\S+ .*is missing/],
    ['another model', { model_type: 'llama' }, /model_type "llama" is not supported/],
    ['heads that do not divide', { num_heads: 7 }, /divisible by num_heads, got 256 and 7/],
  ])('says that the configuration is of %s', async (_, change, message) => {
    const model = await copy();
    const config = JSON.parse(await readFile(join(model, 'config.json'), 'utf8'));
    await writeFile(join(model, 'config.json'), JSON.stringify({ ...config, ...change }));
    const { code, stderr, report } = await inspect(model);
    expect(stderr).toMatch(message);
    expect(code).toBe(1);
    expect(report.agrees).toBe(false);
    expect(report.tensors).toHaveLength(93);
  });

  it('shows the tensors beside a configuration that is no JSON', async () => {
    const model = await copy();
    await writeFile(join(model, 'config.json'), '{"hidden_size": 256,');
    const { code, stderr, report } = await inspect(model);
    expect(stderr).toMatch(/^error: openCheckpoint: config\.json of .* must be JSON/);
    expect(code).toBe(1);
    expect(report).toMatchObject({ format: null, config: null, memory: null, agrees: false });
    expect(report.tensors).toHaveLength(93);
  });

  it('says what is wrong with a tokenizer', async () => {
    const model = await copy();
    await writeFile(join(model, 'tokenizer.json'), '{}');
    const { code, stderr, report } = await inspect(model);
    expect(stderr).toMatch(/^error: .*tokenizer\.json/);
    expect(code).toBe(1);
    expect(report).toMatchObject({ agrees: true, tokenizer: null });
  });

  it('refuses a folder without any model, listing what it has', async () => {
    const { code, stdout, stderr } = await captureRun(['inspect', import.meta.dirname]);
    expect(stderr).toMatch(/^error: openCheckpoint: .* holds no checkpoint/);
    expect(stdout).toMatch(/inspect-model\.ts/);
    expect(code).toBe(1);
  });
});
