import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readMetrics } from './metrics/metrics-log.ts';
import { CORE_MODEL, train } from './testing/run-command.ts';
import { smallRun } from './testing/small-run.ts';

const root = await mkdtemp(join(tmpdir(), 'xlstm-train-'));
afterAll(() => rm(root, { recursive: true, force: true }));
let folders = 0;
const fresh = () => join(root, `run ${folders++}`);

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
    [
      'options of a task that are none',
      ['data=', 'task.name=parity', 'task.options=3'],
      /task\.options must be an obj/,
    ],
    [
      'a range of lengths that is no pair',
      ['data=', 'task.name=parity', 'task.evaluation_ranges=[[3,40,256]]'],
      /evaluation_ranges must be pairs of a shortest and a longest length, got \[3,40,256\]/,
    ],
    [
      'a dtype that a core model is not written in',
      [`model=${CORE_MODEL}`, 'export.dtype=bf16'],
      /export\.dtype bf16 needs model\.kind xlstm-large/,
    ],
    ['an unknown optimiser', ['optimizer.name=sgd'], /name must be one of adamw/],
    ['a precision that there is not', ['precision=bf16-true'], /precision must be one of fp32, bf16-mixed/],
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

  it('to go on at another place of the data, before anything in the folder changes', async () => {
    const { config, outDir } = await smallRun(fresh());
    expect((await train(['--config', config])).code).toBe(0);
    await rm(join(outDir, 'checkpoints', 'step-00000012'), { recursive: true });
    const contents = () =>
      Promise.all(['config.yaml', 'metrics.jsonl'].map((name) => readFile(join(outDir, name), 'utf8')));
    const before = await contents();
    const { code, stderr } = await train(['--config', config, '--resume', 'seed=2']);
    expect(stderr).toMatch(/seed/);
    expect(code).toBe(1);
    expect(await contents()).toEqual(before);
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

  it.skipIf(process.platform !== 'linux')('a folder where nobody can make one', async () => {
    const { config } = await smallRun(fresh());
    const { code, stderr } = await train(['--config', config, 'out_dir=/proc/xlstm/run']);
    expect(stderr).toMatch(/cannot write to \/proc\/xlstm\/run: ENOENT.*; choose an out_dir that can be written/);
    expect(code).toBe(1);
  });

  it('to tokenise into a folder that cannot be, with --dry-run too', async () => {
    const folder = fresh();
    const { config } = await smallRun(folder, { tokenizer: '{ kind: bpe, vocab_size: 300 }' });
    await writeFile(join(folder, 'file'), '');
    const outDir = `out_dir=${JSON.stringify(join(folder, 'file', 'run'))}`;
    const { code, stderr } = await train(['--config', config, '--dry-run', outDir]);
    expect(stderr).toMatch(/^error: cannot make the folder .*run: ENOTDIR/m);
    expect(code).toBe(1);
  });
});
