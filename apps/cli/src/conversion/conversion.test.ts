import { existsSync } from 'node:fs';
import { appendFile, cp, mkdir, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCpuDevice } from '@xlstm/device';
import { type NamedTensor, openCheckpoint, writeSafetensors } from '@xlstm/loaders';
import { readWeights } from '@xlstm/xlstm-large';
import { afterAll, describe, expect, it } from 'vitest';
import { fromPretrained } from 'xlstm';
import { Interrupted } from '../failures.ts';
import type { ModelReport } from '../inspection/inspect-model.ts';
import { builtInModel } from '../installed.ts';
import { type CapturedRun, captureRun } from '../testing/captured-run.ts';
import type { ConversionReport } from './run-conversion.ts';

const root = await mkdtemp(join(tmpdir(), 'xlstm-convert-'));
afterAll(() => rm(root, { recursive: true, force: true }));
const golden = process.env.XLSTM_GOLDEN ?? join(import.meta.dirname, '../../../../../shared/golden');

let count = 0;
const newFolder = () => join(root, `out-${count++}`);

async function convert(out: string, ...flags: string[]): Promise<CapturedRun & { report: ConversionReport }> {
  const run = await captureRun(['convert', builtInModel, out, ...flags, '--json']);
  expect(run.stderr).toBe('');
  expect(run.code).toBe(0);
  return { ...run, report: JSON.parse(run.stdout) as ConversionReport };
}

async function contents(folder: string): Promise<Record<string, string>> {
  const entries = (await readdir(folder)).map(
    async (name) => [name, (await readFile(join(folder, name))).toString('base64')] as const,
  );
  return Object.fromEntries(await Promise.all(entries));
}

/** Runs until so many files are finished, then interrupts as Ctrl-C does. */
async function interrupted(out: string, files: number, ...flags: string[]): Promise<CapturedRun> {
  const interrupt = new AbortController();
  return captureRun(['convert', builtInModel, out, ...flags], {
    interrupt,
    onStderr: (said) => {
      if (said.includes(`, ${files} of `)) interrupt.abort(new Interrupted('SIGINT'));
    },
  });
}

const Q4 = ['--dtype', 'q4', '--shard-size', '400KB'];

describe('a conversion', () => {
  it.each([
    ['q8', 0.0057, 0.55],
    ['q4', 0.095, 0.35],
  ] as const)('to %s keeps every weight within what is promised', async (dtype, most, size) => {
    const out = newFolder();
    const { report } = await convert(out, '--dtype', dtype, '--report');
    expect(report).toMatchObject({ dtype, group: 32, shards: [{ file: 'model.safetensors' }] });
    expect(report.bytes).toBe((await stat(join(out, 'model.safetensors'))).size);
    expect(report.bytes / report.sourceBytes).toBeLessThan(size);
    const { tensors } = report.quality!;
    expect(tensors).toHaveLength(93);
    for (const { name, dtype: kept, relativeRms } of tensors) {
      const small = /norm|[if]gate_preact/.test(name);
      expect([name, kept]).toEqual([name, small ? 'F32' : name.includes('embeddings') ? 'q8' : dtype]);
      if (small) expect(relativeRms).toBe(0);
      else expect(relativeRms).toBeLessThan(most);
    }
    // Its fingerprint is that of the float model, so that states pass between the two.
    const device = createCpuDevice();
    const model = await fromPretrained(builtInModel, { device });
    expect(report.fingerprint).toBe(model.model.weights.fingerprint);
    await model.dispose();
    device.dispose();
    await using checkpoint = await openCheckpoint(out);
    expect(checkpoint.quantization).toMatchObject({ dtype, group: 32, fingerprint: report.fingerprint });
    expect(await readdir(out)).toEqual([
      'config.json',
      'generation_config.json',
      'model.safetensors',
      'tokenizer.json',
      'tokenizer_config.json',
    ]);
  });

  it('to float32 and back is the same again', async () => {
    const [wide, back] = [newFolder(), newFolder()];
    await convert(wide, '--dtype', 'fp32');
    const run = await captureRun(['convert', wide, back, '--dtype', 'bf16', '--report', '--json']);
    const { quality } = JSON.parse(run.stdout) as ConversionReport;
    expect(quality!.tensors.every(({ relativeRms }) => relativeRms === 0)).toBe(true);
    expect(JSON.parse(await readFile(join(back, 'config.json'), 'utf8'))).toEqual(
      JSON.parse(await readFile(join(builtInModel, 'config.json'), 'utf8')),
    );
  });

  it('of a quantised model gives floats, and is refused where it would quantise twice', async () => {
    const [q4, floats] = [newFolder(), newFolder()];
    await convert(q4, ...Q4);
    const run = await captureRun(['convert', q4, floats, '--dtype', 'fp32', '--report', '--json']);
    const { quality } = JSON.parse(run.stdout) as ConversionReport;
    expect(quality!.tensors.every(({ relativeRms }) => relativeRms === 0)).toBe(true);
    const twice = await captureRun(['convert', q4, newFolder(), '--dtype', 'q8']);
    expect(twice).toMatchObject({ code: 1, stderr: expect.stringContaining('quantised from floats') as string });
  });

  it('can be loaded, and a text tells how far it is from the original', async () => {
    const out = newFolder();
    await convert(out, '--dtype', 'q8');
    const text = join(root, 'text.txt');
    await writeFile(text, 'Once upon a time there was a little fox who lived in the forest with her mother.');
    const run = await captureRun([
      'convert',
      builtInModel,
      out,
      '--report',
      '--text',
      text,
      '--device',
      'cpu',
      '--json',
    ]);
    expect(run.code).toBe(0);
    const { text: found } = (JSON.parse(run.stdout) as ConversionReport).quality!;
    expect(found!.computedIn).toEqual({ source: 'fp32', result: 'q8' });
    expect(found!.tokens).toBeGreaterThan(10);
    expect(found!.kl).toBeGreaterThan(0);
    expect(found!.kl).toBeLessThan(0.002);
    expect(Math.abs(found!.loss - found!.sourceLoss)).toBeLessThan(0.02);
    const people = await captureRun(['convert', builtInModel, out, '--report']);
    expect(people.stdout).toMatch(/^lm_head\.weight\s+q8\s+\[4096, 256\]\s+0\.4\d+ %/m);
  });

  it('is shown by inspect', async () => {
    const out = newFolder();
    const { report } = await convert(out, ...Q4);
    const run = await captureRun(['inspect', out, '--json']);
    const inspected = JSON.parse(run.stdout) as ModelReport;
    expect(inspected).toMatchObject({
      parameters: 6_931_248,
      agrees: true,
      problems: [],
      unused: [],
      quantization: { dtype: 'q4', bits: 4, group: 32, fingerprint: report.fingerprint, matrices: 50 },
    });
    expect(inspected.tensors.find(({ name }) => name === 'lm_head.weight')).toMatchObject({
      dtype: 'q4',
      shape: [4096, 256],
      bytes: 4096 * 256 * 0.5625,
    });
    expect((await captureRun(['inspect', out])).stdout).toMatch(
      /^quantised\s+49 matrices in q4 and 1 in q8, groups of 32, of model [0-9a-f]+$/m,
    );
  });

  it('says beforehand what it will write, to the byte', async () => {
    const [dry, out] = [newFolder(), newFolder()];
    const planned = (await convert(dry, ...Q4, '--dry-run')).report;
    expect(existsSync(dry)).toBe(false);
    const { report } = await convert(out, ...Q4);
    expect(planned.shards.length).toBeGreaterThan(5);
    for (const [at, { file, bytes }] of planned.shards.entries()) {
      expect(report.shards[at]).toMatchObject({ file, bytes });
      expect((await stat(join(out, file))).size).toBe(bytes);
    }
  });
});

describe.skipIf(!existsSync(join(golden, 'large')))('both published layouts', () => {
  it('config.yaml and config.json become the same kind of folder, of the same model', async () => {
    const folders = (await readdir(join(golden, 'large'), { recursive: true, withFileTypes: true }))
      .filter(({ name }) => name === 'config.yaml' || name === 'config.json')
      .map(({ parentPath }) => parentPath);
    const formats = new Set<string>();
    for (const folder of new Set(folders)) {
      const out = newFolder();
      const source = await openCheckpoint(folder).catch(() => undefined);
      if (!source) continue;
      formats.add(source.configFormat);
      await source.close();
      const run = await captureRun(['convert', folder, out, '--dtype', 'q8', '--report', '--json']);
      expect(run.stderr).toBe('');
      const { quality } = JSON.parse(run.stdout) as ConversionReport;
      expect(Math.max(...quality!.tensors.map(({ relativeRms }) => relativeRms))).toBeLessThan(0.0065);
      await using result = await openCheckpoint(out);
      expect(result.configFormat).toBe('huggingface');
      const inspected = JSON.parse((await captureRun(['inspect', out, '--json'])).stdout) as ModelReport;
      expect(inspected).toMatchObject({ agrees: true, problems: [], unused: [] });
      const before = JSON.parse((await captureRun(['inspect', folder, '--json'])).stdout) as ModelReport;
      expect(inspected.config).toEqual(before.config);
    }
    expect([...formats].sort()).toEqual(['huggingface', 'native']);
  });
});

it('keeps fused projections fused', async () => {
  const [fused, out] = [newFolder(), newFolder()];
  const device = createCpuDevice();
  const model = await fromPretrained(builtInModel, { device, dtype: 'fp32' });
  await mkdir(fused);
  const tensors: NamedTensor[] = [];
  for await (const tensor of readWeights(model.model, { weightMode: 'fused' })) tensors.push(tensor);
  await writeSafetensors(join(fused, 'model.safetensors'), tensors);
  const config = JSON.parse(await readFile(join(builtInModel, 'config.json'), 'utf8')) as object;
  await writeFile(join(fused, 'config.json'), JSON.stringify({ ...config, weight_mode: 'fused' }));
  await model.dispose();
  const run = await captureRun(['convert', fused, out, '--dtype', 'q4', '--report', '--json']);
  expect(run.stderr).toBe('');
  const { quality, fingerprint } = JSON.parse(run.stdout) as ConversionReport;
  const errors = new Map(quality!.tensors.map((each) => [each.name, each]));
  expect(errors.get('backbone.blocks.0.mlstm_layer.qkv_opreact.weight')).toMatchObject({ dtype: 'q4' });
  expect(errors.get('backbone.blocks.0.mlstm_layer.ifgate_preact.weight')).toMatchObject({ dtype: 'F32', max: 0 });
  for (const { relativeRms } of errors.values()) expect(relativeRms).toBeLessThan(0.095);
  const loaded = await fromPretrained(out, { device, dtype: 'fp32' });
  expect(loaded.config).toMatchObject({ numBlocks: 6, embeddingDim: 256 });
  await loaded.dispose();
  const original = await fromPretrained(fused, { device });
  expect(original.model.weights.fingerprint).toBe(fingerprint);
  await original.dispose();
  device.dispose();
});

describe('an interrupted conversion', () => {
  it('goes on after the last finished file and ends in the same bytes', async () => {
    const [whole, out] = [newFolder(), newFolder()];
    await convert(whole, ...Q4);
    const stopped = await interrupted(out, 3, ...Q4);
    expect(stopped.code).toBe(130);
    expect(stopped.stderr).toMatch(/interrupted: 3 of \d+ files of .* are finished; the same command goes on/);
    const left = await readdir(out);
    expect(left.filter((name) => name.endsWith('.safetensors'))).toHaveLength(3);
    expect(left.filter((name) => /partial|lock|^config/.test(name))).toEqual([]);
    // A finished file that was damaged meanwhile is made again.
    const [, second] = left.filter((name) => name.endsWith('.safetensors')).sort();
    const handle = await open(join(out, second!), 'r+');
    await handle.write('?', 5000);
    await handle.close();
    const resumed = await captureRun(['convert', builtInModel, out, ...Q4]);
    expect(resumed.code).toBe(0);
    expect(resumed.stderr.match(/finished before/g)).toHaveLength(2);
    expect(await contents(out)).toEqual(await contents(whole));
  });

  it('is not taken for another one', async () => {
    const out = newFolder();
    await interrupted(out, 1, ...Q4);
    const before = await contents(out);
    const options = await captureRun(['convert', builtInModel, out, '--dtype', 'q8', '--shard-size', '400KB']);
    expect(options.code).toBe(1);
    expect(options.stderr).toMatch(/interrupted conversion with --dtype q4 .*got --dtype q8 .*remove/);
    const changed = newFolder();
    await cp(builtInModel, changed, { recursive: true });
    const shard = await open(join(changed, 'model-00002-of-00003.safetensors'), 'r+');
    const { size } = await shard.stat();
    await shard.write(Buffer.alloc(size - 20_000, 1), 0, size - 20_000, 20_000);
    await shard.close();
    const source = await captureRun(['convert', changed, out, ...Q4]);
    expect(source.stderr).toMatch(/interrupted conversion of another model, or MODEL has changed since/);
    expect(await contents(out)).toEqual(before);
  });

  it('is kept from a folder that another process writes to', async () => {
    const out = newFolder();
    await interrupted(out, 1, ...Q4);
    const lock = join(out, '.xlstm-convert.lock');
    await writeFile(lock, JSON.stringify({ host: (await import('node:os')).hostname(), pid: process.ppid }));
    expect((await captureRun(['convert', builtInModel, out, ...Q4])).stderr).toMatch(/another conversion is writing/);
    await rm(lock);
  });
});

describe('--verify', () => {
  it('passes what was converted and finds a changed byte', async () => {
    const out = newFolder();
    await convert(out, ...Q4);
    const sound = await captureRun(['convert', builtInModel, out, '--verify', '--json']);
    expect(JSON.parse(sound.stdout)).toMatchObject({ verified: true, dtype: 'q4' });
    const shard = join(out, (await readdir(out)).find((name) => name.endsWith('.safetensors'))!);
    const bytes = await readFile(shard);
    bytes[bytes.length - 1]! ^= 1;
    await writeFile(shard, bytes);
    const damaged = await captureRun(['convert', builtInModel, out, '--verify']);
    expect(damaged.code).toBe(1);
    expect(damaged.stderr).toMatch(/is not what MODEL gives in q4: 1 of \d+ tensors differ, \S+weight/);
  });
});

describe('refusals', () => {
  const cases: [string, () => Promise<string[]> | string[], number, RegExp][] = [
    ['no dtype', () => [builtInModel, newFolder()], 2, /--dtype must say what to convert to/],
    ['the dtype that it has', () => [builtInModel, newFolder(), '--dtype', 'bf16'], 2, /is bf16 already/],
    ['a group that cannot be', () => [builtInModel, newFolder(), ...Q4, '--group-size', '48'], 2, /32, 64, 128/],
    ['a size that is none', () => [builtInModel, newFolder(), '--dtype', 'q4', '--shard-size', 'big'], 2, /512MB/],
    ['OUT in MODEL', () => [builtInModel, join(builtInModel, 'q4'), ...Q4], 2, /OUT must lie apart/],
    ['OUT equal to MODEL', () => [builtInModel, builtInModel, ...Q4], 2, /OUT must lie apart/],
    ['OUT around MODEL', () => [builtInModel, join(builtInModel, '..'), ...Q4], 2, /OUT must lie apart/],
    ['no model', () => [join(root, 'nothing'), newFolder(), ...Q4], 1, /nothing/],
    ['a text without a report', () => [builtInModel, newFolder(), ...Q4, '--text', 'x'], 2, /add --report/],
    ['a verification of nothing', () => [builtInModel, newFolder(), '--verify'], 1, /cannot list the folder/],
    [
      'a folder with other files',
      async () => {
        const out = newFolder();
        await mkdir(out);
        await writeFile(join(out, 'thesis.txt'), 'words');
        return [builtInModel, out, ...Q4];
      },
      1,
      /OUT must be empty or an interrupted conversion, got .* with thesis\.txt/,
    ],
    [
      'a folder that is a file',
      async () => {
        await appendFile(join(root, 'file'), 'x');
        return [builtInModel, join(root, 'file'), ...Q4];
      },
      1,
      /cannot use .*file/,
    ],
    [
      'a model that is there already',
      async () => {
        const out = newFolder();
        await convert(out, ...Q4);
        return [builtInModel, out, ...Q4];
      },
      1,
      /with a whole model .*--verify/,
    ],
  ];
  it.each(cases)('%s', async (_, args, code, message) => {
    const run = await captureRun(['convert', ...(await args())]);
    expect(run.stderr).toMatch(message);
    expect(run.code).toBe(code);
  });
});
