import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { fromPretrained } from 'xlstm';
import { Interrupted } from './command/failures.ts';
import { readMetrics } from './metrics/metrics-log.ts';
import { CORE_MODEL, train, weights } from './testing/run-command.ts';
import { smallRun, smallText } from './testing/small-run.ts';

const root = await mkdtemp(join(tmpdir(), 'xlstm-train-'));
afterAll(() => rm(root, { recursive: true, force: true }));
let folders = 0;
const fresh = () => join(root, `run ${folders++}`);

describe('xlstm-train', () => {
  it('trains a model that the library loads and continues text with', async () => {
    const { config, outDir } = await smallRun(fresh(), {
      tokenizer: '{ kind: bpe, vocab_size: 300 }',
      train: '{ max_steps: 30, global_batch_size: 4 }',
      eval: "{ interval: 15, batches: 2, samples: ['Once'], sample_tokens: 8 }",
      logger: '{ report: true, tensorboard: true }',
    });
    const { code, stderr, stdout } = await train(['--config', config, '--json']);
    expect(stderr).not.toMatch(/error/);
    expect(code).toBe(0);
    const metrics = await readMetrics(outDir);
    expect(metrics.map(({ step }) => step)).toEqual(Array.from({ length: 30 }, (_, at) => at + 1));
    expect(stdout.trim().split('\n')).toHaveLength(30);
    expect(metrics.at(-1)!.loss).toBeLessThan(0.7 * metrics[0]!.loss);
    expect(metrics.at(-1)!.validationLoss).toBeLessThan(metrics[14]!.validationLoss!);
    expect(metrics.at(-1)!.samples?.[0]?.prompt).toBe('Once');
    expect(await readdir(outDir)).toEqual(
      expect.arrayContaining([
        'best',
        'checkpoints',
        'config.yaml',
        'metrics.jsonl',
        'model',
        'report.html',
        'tensorboard',
        'tokenizer.json',
      ]),
    );
    expect(await readdir(outDir)).not.toContain('run.lock');
    const resolved = await readFile(join(outDir, 'config.yaml'), 'utf8');
    expect(resolved).toMatch(/weight_decay: 0\.1/);
    expect(await readFile(join(outDir, 'report.html'), 'utf8')).toMatch(/weight_decay: 0\.1/);
    const model = await fromPretrained(join(outDir, 'model'), { device: 'cpu' });
    const { text } = await model.generate('Once upon', { maxNewTokens: 6, temperature: 0 }).result();
    expect(text.length).toBeGreaterThan(0);
    await model.dispose();
  });

  it.each([
    ['shuffled windows', {}],
    ['carried states', { data: 'carried' }],
    ['carried states of an sLSTM', { data: 'carried', model: CORE_MODEL }],
  ])('goes on after Ctrl-C as if it had never stopped, with %s', async (_, kind: { data?: string; model?: string }) => {
    const folder = fresh();
    const text = join(folder, 'tales.txt');
    const data = `{ train: [${JSON.stringify(text)}], validation: [${JSON.stringify(text)}], sequence_length: 16, packing: ${kind.data ?? 'shuffled'} }`;
    const { config, outDir } = await smallRun(folder, { data, ...(kind.model ? { model: kind.model } : {}) });
    expect((await train(['--config', config])).code).toBe(0);
    const whole = await weights(outDir);
    const other = join(folder, 'stopped');
    const interrupt = new AbortController();
    const stopped = train(['--config', config, `out_dir=${JSON.stringify(other)}`], interrupt.signal);
    const wait = setInterval(() => {
      void readMetrics(other).then((lines) => lines.length >= 5 && interrupt.abort(new Interrupted('SIGINT')));
    }, 1);
    const { code, stderr } = await stopped;
    clearInterval(wait);
    expect(stderr).toMatch(/interrupted; resume with --resume/);
    expect(code).toBe(130);
    const resumed = await train(['--config', config, '--resume', `out_dir=${JSON.stringify(other)}`]);
    expect(resumed.stderr).toMatch(/resuming from step \d+/);
    expect(resumed.code).toBe(0);
    expect((await weights(other)).equals(whole)).toBe(true);
    expect((await readMetrics(other)).map(({ step }) => step)).toEqual(Array.from({ length: 12 }, (_, at) => at + 1));
  });

  it('goes on with a tokenizer that the text gives fewer entries than wanted', async () => {
    const { config } = await smallRun(fresh(), {
      tokenizer: '{ kind: bpe, vocab_size: 4096 }',
      train: '{ max_steps: 2, global_batch_size: 2 }',
    });
    const first = await train(['--config', config]);
    expect(first.stderr).toMatch(/gives a tokenizer of \d+ entries, tokenizer\.vocab_size is 4096/);
    expect(first.code).toBe(0);
    const resume = ['--config', config, '--resume', 'train.max_steps=3'];
    for (const size of [280, 300]) {
      const refused = await train([...resume, `tokenizer.vocab_size=${size}`]);
      expect(refused.stderr).toMatch(/tokenizer\.json has \d+ entries, tokenizer\.vocab_size is \d+; remove it/);
      expect(refused.code).toBe(1);
    }
    const { code, stderr } = await train(resume);
    expect(stderr).toMatch(/resuming from step 2/);
    expect(code).toBe(0);
  });

  it('lets the batch grow, and a resumed run at the same places', async () => {
    const grow = 'train.initial_batch_size=2 train.batch_ramp_steps=6 train.global_batch_size=8'.split(' ');
    const { config, outDir } = await smallRun(fresh());
    expect((await train(['--config', config, ...grow])).code).toBe(0);
    const tokens = (await readMetrics(outDir)).map((line) => line.tokens / 16);
    const sizes = tokens.map((total, at) => total - (tokens[at - 1] ?? 0));
    expect(sizes).toEqual([2, 2, 4, 4, 6, 6, 8, 8, 8, 8, 8, 8]);
    const whole = await weights(outDir);
    await rm(join(outDir, 'checkpoints', 'step-00000012'), { recursive: true });
    await rm(join(outDir, 'checkpoints', 'step-00000008'), { recursive: true });
    expect((await train(['--config', config, ...grow, '--resume'])).code).toBe(0);
    expect((await weights(outDir)).equals(whole)).toBe(true);
  });

  it('starts over with nothing of the run before: results, and a tokenizer of the text as it is now', async () => {
    const folder = fresh();
    const { config, outDir } = await smallRun(folder, { tokenizer: '{ kind: bpe, vocab_size: 300 }' });
    expect((await train(['--config', config])).code).toBe(0);
    const tokenizer = () => readFile(join(outDir, 'tokenizer.json'), 'utf8');
    const before = await tokenizer();
    await writeFile(join(folder, 'tales.txt'), smallText().replaceAll('fox', 'wolf').replaceAll('king', 'queen'));
    const reused = await train(['--config', config, '--resume', '--force']);
    expect(reused.stderr).toMatch(/tokenizer\.json, trained before; --force without --resume trains it again/);
    const { code } = await train(['--config', config, '--force', 'data.validation=', 'train.max_steps=2']);
    expect(code).toBe(0);
    expect(await tokenizer()).not.toBe(before);
    expect(await readdir(outDir)).toContain('model');
    expect(await readdir(outDir)).not.toContain('best');
  });

  it('keeps the last checkpoints only', async () => {
    const { config, outDir } = await smallRun(fresh(), { checkpoint: '{ interval: 2, keep: 2 }' });
    expect((await train(['--config', config])).code).toBe(0);
    expect(await readdir(join(outDir, 'checkpoints'))).toEqual(['step-00000010', 'step-00000012']);
  });

  it('learns parity with an sLSTM block, far beyond the lengths it saw, and not with an mLSTM alone', {
    timeout: 120_000,
  }, async () => {
    const folder = fresh();
    const { config, outDir } = await smallRun(folder);
    const lines = [
      `out_dir: ${JSON.stringify(outDir)}`,
      'device: cpu',
      'model: { kind: xlstm-core, embedding_dim: 16, num_blocks: 1, slstm_at: [0], slstm_block: { slstm: { num_heads: 2, conv1d_kernel_size: 0, recurrent_weight_init: standard }, feedforward: {} } }',
      'task: { name: parity, min_length: 2, max_length: 10, evaluation_ranges: [[10, 40]], evaluation_sequences: 128 }',
      'train: { max_steps: 300, global_batch_size: 32 }',
      'optimizer: { lr: 1e-2, weight_decay: 0 }',
      'schedule: { warmup_steps: 20, final_lr: 1e-4 }',
      'eval: { interval: 300 }',
      'checkpoint: { interval: 300 }',
      'logger: { report: false }',
    ];
    await writeFile(config, lines.join('\n'));
    expect((await train(['--config', config])).code).toBe(0);
    const { accuracy } = (await readMetrics(outDir)).at(-1)!;
    expect(accuracy!['10-40']).toBeGreaterThanOrEqual(0.99);
    // An mLSTM alone has no state to track it with.
    const without = ['model.slstm_at=[]', 'model.slstm_block=', 'model.mlstm_block={ mlstm: { num_heads: 2 } }'];
    expect((await train(['--config', config, '--force', ...without])).code).toBe(0);
    expect((await readMetrics(outDir)).at(-1)!.accuracy!['10-40']).toBeLessThan(0.65);
  });

  it('keeps the best model apart, also when later ones are worse', async () => {
    const folder = fresh();
    const other = join(folder, 'other.txt');
    const { config, outDir } = await smallRun(folder, { eval: '{ interval: 2, batches: 4 }' });
    await writeFile(other, 'A bear ate all of the honey that the bees had made in spring.\n'.repeat(9));
    const argv = ['--config', config, `data.validation=[${JSON.stringify(other)}]`, 'schedule.name=constant'];
    const hot = [...argv, 'schedule.warmup_steps=0', 'optimizer.lr=0.1', 'train.max_steps=24'];
    expect((await train(hot)).code).toBe(0);
    const losses = (await readMetrics(outDir)).filter(({ validationLoss }) => validationLoss !== undefined);
    const best = losses.reduce((a, b) => (b.validationLoss! < a.validationLoss! ? b : a));
    expect(best.step).toBeLessThan(24);
    const again = join(folder, 'again');
    const upToBest = [...hot, `out_dir=${JSON.stringify(again)}`, `train.max_steps=${best.step}`];
    expect((await train(upToBest)).code).toBe(0);
    expect((await weights(outDir, 'best')).equals(await weights(again))).toBe(true);
    expect((await weights(outDir, 'best')).equals(await weights(outDir))).toBe(false);
  });

  it('says where a run goes on on another kind of device, and notes the kind in the metrics', async () => {
    const { config, outDir } = await smallRun(fresh(), { train: '{ max_steps: 2, global_batch_size: 2 }' });
    expect((await train(['--config', config])).code).toBe(0);
    const path = join(outDir, 'checkpoints', 'step-00000002', 'trainer.json');
    const trainer = JSON.parse(await readFile(path, 'utf8')) as { device: { kind: string; name: string } };
    expect(trainer.device.kind).toBe('cpu');
    const resume = ['--config', config, '--resume', 'train.max_steps=4'];
    await writeFile(path, JSON.stringify({ ...trainer, device: { kind: 'webgpu', name: 'Some GPU' } }));
    expect((await train(resume)).stderr).toMatch(
      /made on webgpu \(Some GPU\), this run goes on on cpu \(CPU.*\): the same up to rounding, not bit for bit/,
    );
    expect((await readMetrics(outDir)).map(({ device }) => device)).toEqual(['cpu', undefined, 'cpu', undefined]);
  });

  it('trains in fp32, and says why, where bf16-mixed is asked for and the device has no units for it', async () => {
    const { config, outDir } = await smallRun(fresh());
    expect((await train(['--config', config])).code).toBe(0);
    const exact = await weights(outDir);
    const other = join(outDir, 'mixed');
    const mixed = ['--config', config, `out_dir=${JSON.stringify(other)}`, 'precision=bf16-mixed'];
    const reason = /precision: fp32, since CPU.* offers no subgroup matrices of fp16, which bf16-mixed computes on/;
    expect((await train([...mixed, '--dry-run'])).stderr).toMatch(reason);
    const { code, stderr } = await train(mixed);
    expect(stderr).toMatch(reason);
    expect(code).toBe(0);
    expect((await weights(other)).equals(exact)).toBe(true);
    expect(await readFile(join(other, 'config.yaml'), 'utf8')).toMatch(/^precision: bf16-mixed$/m);
    expect((await readMetrics(other)).map(({ precision }) => precision)).toEqual([
      'fp32',
      ...Array(11).fill(undefined),
    ]);

    await rm(join(other, 'checkpoints', 'step-00000012'), { recursive: true });
    const resumed = await train([...mixed, '--resume']);
    expect(resumed.stderr).toMatch(reason);
    expect(resumed.stderr).toMatch(/resuming from step 8/);
    expect(resumed.stderr).not.toMatch(/not bit for bit/);
    expect(resumed.code).toBe(0);
    expect((await weights(other)).equals(exact)).toBe(true);
    expect((await readMetrics(other)).flatMap(({ step, precision }) => (precision ? [[step, precision]] : []))).toEqual(
      [
        [1, 'fp32'],
        [9, 'fp32'],
      ],
    );

    const path = join(other, 'checkpoints', 'step-00000012', 'trainer.json');
    const trainer = JSON.parse(await readFile(path, 'utf8')) as { device: { precision: string } };
    expect(trainer.device.precision).toBe('fp32');
    await writeFile(path, JSON.stringify({ ...trainer, device: { ...trainer.device, precision: 'mixed' } }));
    expect((await train([...mixed, '--resume', 'train.max_steps=13'])).stderr).toMatch(
      /made with mixed products, this run goes on with fp32: not bit for bit/,
    );
  });

  it('says its version, and where the options of training are told', async () => {
    const { version } = JSON.parse(await readFile(join(import.meta.dirname, '../package.json'), 'utf8'));
    expect(await train(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
    const { code, stdout } = await train(['--help']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/xlstm-train train --help lists\nits options/);
    expect((await train(['train', '--help'])).stdout).toMatch(/XLSTM_DAWN_TOGGLES=vulkan_enable_f16_on_nvidia/);
  });

  it('prints the resolved configuration and trains nothing with --dry-run', async () => {
    const { config, outDir } = await smallRun(fresh());
    const { code, stdout, stderr } = await train(['--config', config, '--dry-run', 'optimizer.lr=0.5']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/lr: 0\.5/);
    const printed = `${config}.printed`;
    await writeFile(printed, stdout);
    expect((await train(['--config', printed, '--dry-run'])).stdout).toBe(stdout);
    expect(stderr).toMatch(/device: cpu/);
    expect(stderr).toMatch(/parameters, \d+ training tokens, 0\.\d+ GB on the device/);
    expect(stderr).not.toMatch(/in use/);
    await writeFile(join(outDir, 'run.lock'), `${process.ppid}\n`);
    expect((await train(['--config', config, '--dry-run'])).stderr).toMatch(
      /run is in use by process \d+: until it ends, training is refused/,
    );
    expect(await readdir(outDir)).not.toContain('checkpoints');
  });
});
