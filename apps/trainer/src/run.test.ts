import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, describe, expect, it } from 'vitest';
import { fromPretrained } from 'xlstm';
import { Interrupted } from './command/failures.ts';
import { readMetrics } from './metrics/metrics-log.ts';
import { run } from './run.ts';
import { smallRun } from './testing/small-run.ts';

const root = await mkdtemp(join(tmpdir(), 'xlstm-train-'));
afterAll(() => rm(root, { recursive: true, force: true }));
let folders = 0;
const fresh = () => join(root, `run ${folders++}`);

function stream(): { stream: NodeJS.WriteStream; text: () => string } {
  const pass = new PassThrough();
  let text = '';
  pass.on('data', (data) => {
    text += String(data);
  });
  return { stream: pass as unknown as NodeJS.WriteStream, text: () => text };
}

async function train(argv: readonly string[], signal: AbortSignal = new AbortController().signal) {
  const [stdout, stderr] = [stream(), stream()];
  const code = await run(argv, { stdout: stdout.stream, stderr: stderr.stream, signal });
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}

const CORE_MODEL =
  '{ kind: xlstm-core, embedding_dim: 16, num_blocks: 2, slstm_at: [1], mlstm_block: { mlstm: { num_heads: 2 } }, slstm_block: { slstm: { num_heads: 2 }, feedforward: {} } }';

async function weights(outDir: string, folder = 'model'): Promise<Buffer> {
  return readFile(join(outDir, folder, 'model.safetensors'));
}

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

  it('keeps the last checkpoints only', async () => {
    const { config, outDir } = await smallRun(fresh(), { checkpoint: '{ interval: 2, keep: 2 }' });
    expect((await train(['--config', config])).code).toBe(0);
    expect(await readdir(join(outDir, 'checkpoints'))).toEqual(['step-00000010', 'step-00000012']);
  });

  it('learns parity with an sLSTM block, far beyond the lengths it saw', { timeout: 120_000 }, async () => {
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

describe('xlstm-train refuses', () => {
  it.each([
    ['an unknown field', ['optimzer.lr=1'], /optimzer is not a known field; did you mean optimizer/],
    ['an unknown field of the model', ['model.num_headz=2'], /num_headz is not a known field; did you mean num_heads/],
    ['a wrong type', ['train.max_steps=many'], /max_steps must be an integer of at least 1, got "many"/],
    ['an unknown schedule', ['schedule.name=cosin'], /name must be one of constant, cosine/],
    ['a warm-up longer than the run', ['schedule.warmup_steps=13', '--dry-run'], /warmup_steps .*got 13 and 0 of 12/],
    [
      'a last rate above the peak',
      ['schedule.final_lr=1', '--dry-run'],
      /final_lr be at most optimizer\.lr: .*final 1/,
    ],
    ['a cool-down where there is none', ['schedule.cooldown_steps=2'], /cooldown_steps belongs to warmup-stable-decay/],
    [
      'a last rate of a constant one',
      ['schedule.name=constant', 'schedule.final_lr=1e-4'],
      /means nothing to constant/,
    ],
    ['a first batch that never grows', ['train.initial_batch_size=2'], /batch_ramp_steps go together, got 2 of 4/],
    [
      'dropout in two places',
      [`model=${CORE_MODEL}`, 'model.dropout=0.1'],
      /model\.dropout is train\.dropout here; set that/,
    ],
    ['a tokenizer for a task', ['data=', 'task.name=parity', 'tokenizer.kind=bpe'], /a task has no text and no token/],
    ['samples of a task', ['data=', 'task.name=parity', 'eval.samples=[a]'], /a task has no text to sample/],
    ['an unknown optimiser', ['optimizer.name=sgd'], /name must be one of adamw/],
    ['bf16 where there is none', ['precision=bf16-mixed'], /precision must be one of fp32/],
    ['batches that do not divide', ['train.micro_batch_size=3'], /micro_batch_size must divide/],
    [
      'a first batch that is larger than the last',
      ['train.initial_batch_size=6'],
      /initial_batch_size must be a multiple/,
    ],
    ['a learning rate that is none', ['optimizer.lr=.nan'], /lr must be a positive number/],
    [
      'resets at documents where a convolution and an sLSTM would remember',
      [`model=${CORE_MODEL}`, 'data.reset_states_at_documents=true'],
      /reset_states_at_documents needs model\.kind xlstm-large: closing the forget gates empties an mLSTM cell alone/,
    ],
    ['a text that is not there', ['data.train=[nowhere.txt]'], /nowhere\.txt/],
    ['a corpus shorter than a sequence', ['data.sequence_length=100000'], /at least 100001 tokens/],
    ['what is no override', ['lr'], /is no override; write section.field=value/],
    ['a resume without a checkpoint', ['--resume'], /no checkpoint to resume from/],
  ])('%s', async (_, argv, message) => {
    const { config } = await smallRun(fresh());
    const { code, stderr } = await train(['--config', config, ...argv]);
    expect(stderr).toMatch(message);
    expect(code).toBe(1);
  });

  it('a folder that holds a run, unless it may start over', async () => {
    const { config } = await smallRun(fresh(), { train: '{ max_steps: 2, global_batch_size: 2 }' });
    expect((await train(['--config', config])).code).toBe(0);
    expect((await train(['--config', config])).stderr).toMatch(/holds a run \(step 2\); go on with --resume/);
    expect((await train(['--config', config, '--force'])).code).toBe(0);
  });

  it('nothing of a new run for the sake of the checkpoints of one that it starts over', async () => {
    const { config, outDir } = await smallRun(fresh(), { checkpoint: '{ interval: 2, keep: 2 }' });
    expect((await train(['--config', config])).code).toBe(0);
    expect((await train(['--config', config, '--force', 'train.max_steps=5'])).code).toBe(0);
    expect(await readdir(join(outDir, 'checkpoints'))).toEqual(['step-00000004', 'step-00000005']);
  });

  it.each(['weights.safetensors', 'optimizer.safetensors', 'trainer.json'])(
    'to go on from a checkpoint with a damaged %s, and says which folder to remove',
    async (name) => {
      const { config, outDir } = await smallRun(fresh(), { train: '{ max_steps: 2, global_batch_size: 2 }' });
      expect((await train(['--config', config])).code).toBe(0);
      await truncate(join(outDir, 'checkpoints', 'step-00000002', name), 100);
      const { code, stderr } = await train(['--config', config, '--resume']);
      expect(stderr).toMatch(/^error: resume: .*the checkpoint is damaged, remove .*step-00000002 to resume from/m);
      expect(stderr).toContain(name);
      expect(code).toBe(1);
    },
  );

  it.each(['shuffled', 'carried'])('to go on with other data, unless forced: it begins anew, %s', async (packing) => {
    const folder = fresh();
    const { config, outDir } = await smallRun(folder);
    expect((await train(['--config', config, `data.packing=${packing}`])).code).toBe(0);
    const text = join(folder, 'other.txt');
    await writeFile(text, 'Another tale altogether, about a bear and a very large pot of honey.\n'.repeat(9));
    const argv = ['--config', config, '--resume', `data.packing=${packing}`, 'train.micro_batch_size=4'];
    const rows = await train([...argv, 'train.max_steps=13', '--force']);
    expect(/the data begins anew/.test(rows.stderr)).toBe(packing === 'carried');
    expect(rows.code).toBe(0);
    const other = [...argv, 'train.max_steps=14', `data.train=[${JSON.stringify(text)}]`];
    expect((await train(other)).code).toBe(1);
    const { code, stderr } = await train([...other, '--force']);
    expect(stderr).toMatch(/resuming from step 13\n.*the data begins anew/);
    expect(code).toBe(0);
    expect((await readMetrics(outDir)).map(({ step }) => step)).toEqual(Array.from({ length: 14 }, (_, at) => at + 1));
  });

  it('to go on with another model, tokenizer or text, unless forced', async () => {
    const folder = fresh();
    const { config } = await smallRun(folder, { train: '{ max_steps: 2, global_batch_size: 2 }' });
    expect((await train(['--config', config])).code).toBe(0);
    const resume = ['--config', config, '--resume', 'train.max_steps=3'];
    expect((await train([...resume, 'model.num_blocks=2'])).stderr).toMatch(/made with another model \(/);
    await writeFile(
      join(folder, 'other.txt'),
      'Another tale altogether, about a bear and a very large pot of honey.\n'.repeat(9),
    );
    const other = `data.train=[${JSON.stringify(join(folder, 'other.txt'))}]`;
    expect((await train([...resume, other])).stderr).toMatch(/another training data; restore the configuration/);
    expect((await train([...resume, 'tokenizer.kind=bpe', 'tokenizer.vocab_size=300'])).stderr).toMatch(
      /another model|tokenizer/,
    );
    expect((await train(resume)).code).toBe(0);
  });

  it('to take over what does not fit of another model, and says what begins anew when that is forced', async () => {
    const { config, outDir } = await smallRun(fresh(), { train: '{ max_steps: 2, global_batch_size: 2 }' });
    expect((await train(['--config', config])).code).toBe(0);
    const other = ['--config', config, '--resume', 'train.max_steps=3', 'model.num_blocks=2'];
    expect((await train(other)).stderr).toMatch(/another model .*--force, which takes over what fits/);
    const { code, stderr } = await train([...other, '--force']);
    expect(stderr).toMatch(/of another model: (\d+) of its \1 tensors are taken over, [1-9]\d* begin anew/);
    expect(code).toBe(0);
    expect((await readMetrics(outDir)).map(({ step }) => step)).toEqual([1, 2, 3]);
    expect((await train([...other, 'train.max_steps=4'])).code).toBe(0);
  });

  it('to keep a checkpoint of a model that the last step ruined', async () => {
    const { config, outDir } = await smallRun(fresh(), { checkpoint: '{ interval: 1, keep: 9 }' });
    expect((await train(['--config', config, 'train.max_steps=2'])).code).toBe(0);
    const hot = ['schedule.name=constant', 'schedule.warmup_steps=0', 'train.max_norm=1e30', 'train.max_steps=9'];
    for (const rate of ['1e30', '3e38']) {
      const { code, stderr } = await train(['--config', config, '--resume', ...hot, `optimizer.lr=${rate}`]);
      expect(stderr).toMatch(/train: step 3 is not finite: .*; the last checkpoint is kept \(step 2\)/);
      expect(code).toBe(1);
      expect(await readdir(join(outDir, 'checkpoints'))).toEqual(['step-00000001', 'step-00000002']);
    }
  });

  it('a folder that another process trains in, and takes one over whose process is gone', async () => {
    const { config, outDir } = await smallRun(fresh(), { train: '{ max_steps: 2, global_batch_size: 2 }' });
    expect((await train(['--config', config])).code).toBe(0);
    // The parent of this process is alive, and not this process.
    await writeFile(join(outDir, 'run.lock'), `${process.ppid}\n`);
    expect((await train(['--config', config, '--force'])).stderr).toMatch(/is in use by process \d+; stop it first/);
    await writeFile(join(outDir, 'run.lock'), '99999999\n');
    expect((await train(['--config', config, '--force'])).code).toBe(0);
  });

  it('a loss that is not finite: names the step and keeps the last good checkpoint', async () => {
    const { config, outDir } = await smallRun(fresh(), { checkpoint: '{ interval: 3, keep: 9 }' });
    const argv = [
      '--config',
      config,
      'schedule.name=constant',
      'schedule.warmup_steps=0',
      'optimizer.lr=1e30',
      'train.max_norm=1e30',
    ];
    const { code, stderr } = await train(argv);
    expect(stderr).toMatch(/train: step 2 is not finite: .*"embedding".*there is no checkpoint yet/);
    expect(code).toBe(1);
    expect((await train(['--config', config, '--force'])).code).toBe(0);
    const resumed = await train([...argv, '--resume', 'train.max_steps=20']);
    expect(resumed.stderr).toMatch(/train: step 14 is not finite: .*the last checkpoint is kept \(step 12\)/);
    expect(await readdir(join(outDir, 'checkpoints'))).toContain('step-00000012');
  });

  it('a folder that cannot be written', async () => {
    const folder = fresh();
    const { config } = await smallRun(folder);
    await writeFile(join(folder, 'file'), '');
    const { code, stderr } = await train([
      '--config',
      config,
      `out_dir=${JSON.stringify(join(folder, 'file', 'run'))}`,
    ]);
    expect(stderr).toMatch(/cannot write to .*; choose an out_dir that can be written/);
    expect(code).toBe(1);
  });
});
