import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { captureRun } from '../testing/captured-run.ts';
import { damagedStates } from '../testing/damaged-states.ts';
import type { GenerationReport } from './report.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'xlstm-cli-states-'));
});
afterAll(() => rm(folder, { recursive: true }));

const greedy = ['--device', 'cpu', '--temperature', '0', '--dtype', 'fp32'];

async function generateJson(argv: readonly string[], stdin?: string): Promise<GenerationReport> {
  const run = await captureRun(['generate', ...greedy, '--json', ...argv], stdin === undefined ? {} : { stdin });
  expect(run.stderr).toBe('');
  expect(run.code).toBe(0);
  return JSON.parse(run.stdout);
}

describe('generate with states', () => {
  it('in two goes gives what one longer generation gives', async () => {
    const state = join(folder, 'half.state');
    const whole = await generateJson(['--prompt', 'Once upon a time', '--max-new-tokens', '24']);
    const first = await generateJson(['--prompt', 'Once upon a time', '--max-new-tokens', '10', '--state-out', state]);
    // No prompt, no second BOS: the text simply goes on.
    const second = await generateJson(['--state-in', state, '--max-new-tokens', '14']);
    expect(second.promptIds).toEqual([]);
    expect([...first.ids, ...second.ids]).toEqual(whole.ids);
    expect(first.text + second.text).toBe(whole.text);
    expect([first.position, second.position, whole.position]).toEqual([15, 29, 29]);
  });

  it('reads a prompt in the middle of a text without BOS', async () => {
    const state = join(folder, 'prompt.state');
    const whole = await generateJson(['--prompt', 'Once upon a time', '--max-new-tokens', '12']);
    const read = await generateJson(['--prompt', 'Once upon', '--max-new-tokens', '0', '--state-out', state]);
    expect(read).toMatchObject({ ids: [], text: '', position: read.promptIds.length });
    for (const given of [
      await generateJson(['--state-in', state, '--prompt', ' a time', '--max-new-tokens', '12']),
      await generateJson(['--state-in', state, '--max-new-tokens', '12'], ' a time'),
    ]) {
      expect([...read.promptIds, ...given.promptIds]).toEqual(whole.promptIds);
      expect(given.text).toBe(whole.text);
    }
  });

  it('replaces a state only when the new one is whole, and keeps a link a link', async () => {
    const own = await mkdtemp(join(folder, 'own-'));
    await writeFile(join(own, 'real.state'), 'old');
    await symlink('real.state', join(own, 'link.state'));
    const out = ['--state-out', join(own, 'link.state')];
    await generateJson(['--prompt', 'A', '--max-new-tokens', '1', ...out]);
    expect((await readdir(own)).sort()).toEqual(['link.state', 'real.state']);
    const bytes = await readFile(join(own, 'real.state'));
    expect(bytes.subarray(0, 8).toString()).toBe('XLSTMSTA');
    // On from the state, and back into its file.
    const again = await generateJson(['--state-in', join(own, 'link.state'), '--max-new-tokens', '2', ...out]);
    expect(again.position).toBe(5);
    expect(await readFile(join(own, 'real.state'))).not.toEqual(bytes);
  });

  it('refuses cut, damaged and foreign states, and files that are none, before anything is computed', async () => {
    const state = join(folder, 'sound.state');
    await generateJson(['--prompt', 'A', '--max-new-tokens', '1', '--state-out', state]);
    for (const [name, bytes, message] of damagedStates(await readFile(state))) {
      const file = join(folder, 'bad.state');
      await writeFile(file, bytes);
      const { code, stdout, stderr } = await captureRun(['generate', ...greedy, '--state-in', file]);
      expect(stderr, name).toMatch(/^error: .*bad\.state: importState: /);
      expect(stderr, name).toMatch(message);
      expect(stdout).toBe('');
      expect(code).toBe(1);
    }
  });

  it.each([
    ['a state that is not there', ['--state-in', 'no/such.state'], /state: cannot read no\/such\.state: ENOENT/, 1],
    ['a folder as state', ['--state-in', import.meta.dirname], /state: cannot read .*EISDIR/, 1],
    ['a folder that is not there', ['--state-out', 'no/such/x.state'], /cannot save to no\/such\/x\.state: ENOENT/, 1],
    ['a folder to save to', ['--state-out', import.meta.dirname], /cannot save to .*: it is a folder/, 1],
    ['a file in the place of a folder', ['--state-out', `${import.meta.filename}/x`], /cannot save to .*ENOTDIR/, 1],
    ['log probabilities without JSON', ['--logprobs', '2'], /--logprobs is part of --json; add --json/, 2],
    ['too many log probabilities', ['--json', '--logprobs', '21'], /It must be a whole number from 0 to 20/, 2],
  ])('refuses %s', async (_, argv, message, expected) => {
    const { code, stdout, stderr } = await captureRun(['generate', ...greedy, '--prompt', 'A', ...argv]);
    expect(stderr).toMatch(message);
    expect(stdout).toBe('');
    expect(code).toBe(expected);
  });

  it.skipIf(process.platform !== 'linux')('never puts a file in the place of a device', async () => {
    const run = await captureRun(['generate', ...greedy, '--prompt', 'A', '--state-out', '/dev/null']);
    expect(run.stderr).toMatch(/cannot save to \/dev\/null: it is not a file/);
    expect(run.code).toBe(1);
  });
});

describe('--logprobs', () => {
  it('tells how likely each token was and which were likelier', async () => {
    const report = await generateJson(['--prompt', 'The fox', '--max-new-tokens', '3', '--logprobs', '2']);
    expect(report.logprobs).toHaveLength(3);
    report.logprobs?.forEach(({ logprob, top }, at) => {
      expect(top).toHaveLength(2);
      // Greedy: the token is the likeliest one.
      expect(top[0]).toEqual({ id: report.ids[at], logprob });
      expect(top[1]!.logprob).toBeLessThanOrEqual(logprob);
      expect(logprob).toBeLessThan(0);
    });
    expect(await generateJson(['--prompt', 'A', '--max-new-tokens', '1'])).not.toHaveProperty('logprobs');
    const none = await generateJson(['--prompt', 'A', '--max-new-tokens', '0', '--logprobs', '0']);
    expect(none.logprobs).toEqual([]);
  });
});
