import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MaybeTty } from '../terminal.ts';
import { type CapturedRun, type CaptureOptions, captureRun } from '../testing/captured-run.ts';
import { damagedStates } from '../testing/damaged-states.ts';

const fox = JSON.parse(await readFile(new URL('../../models/stories-expected.json', import.meta.url), 'utf8'))
  .generation[0] as { prompt: string; greedy_text: string };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'xlstm-cli-chat-'));
});
afterAll(() => rm(folder, { recursive: true }));

const greedy = ['--temperature', '0', '--dtype', 'fp32', '--max-new-tokens', '8'];

/** Chats on the CPU device with what comes through a pipe. */
function chat(lines: readonly string[], argv: readonly string[] = greedy, options?: CaptureOptions) {
  return captureRun(['chat', '--device', 'cpu', ...argv], { stdin: lines.map((l) => `${l}\n`).join(''), ...options });
}

/** The same where nothing goes wrong: what was answered, and what was said beside. */
async function sound(
  lines: readonly string[],
  argv?: readonly string[],
): Promise<{ text: string; answers: string[]; notes: string }> {
  const { code, stdout, stderr } = await chat(lines, argv);
  expect(stderr).not.toMatch(/error/);
  expect(code).toBe(0);
  return { text: stdout, answers: stdout.split('\n').slice(0, -1), notes: stderr };
}

const position = (notes: string) => Number(/^state\s+([\d,]+) tokens? in 216 kB/m.exec(notes)![1]);

describe('chat with a model that has no template', () => {
  it('says so and goes on with the text; an empty line lets it go on by itself', async () => {
    const { answers, notes } = await sound([fox.prompt, '', '']);
    expect(answers).toHaveLength(3);
    const text = answers.join('');
    expect(text.length).toBeGreaterThan(60);
    expect(fox.greedy_text.startsWith(text)).toBe(true);
    expect(notes).toMatch(/^note: stories \(built in\) has no chat template, so what you type is appended/);
    expect((await sound([fox.prompt], [...greedy, '--quiet'])).notes).toBe('');
  });

  it('reads only what is new', async () => {
    const { notes } = await sound([fox.prompt, ' and then', ' and then', '/stats'], [...greedy, '--stats']);
    const read = [...notes.matchAll(/^(\d+) tokens read, first token after .*; 8 new, [\d.]+ tokens\/s$/gm)];
    expect(read.map((line) => Number(line[1]))).toEqual([5, 2, 2]);
    expect(position(notes)).toBe(5 + 2 + 2 + 3 * 8);
  });

  it('goes on from a saved state as if it had never been left', async () => {
    const [saved, out] = [join(folder, 'a.state'), join(folder, 'out.state')];
    const turns = [fox.prompt, ' The queen', ' Then'];
    const whole = await sound(turns);
    const first = await sound([turns[0]!, turns[1]!, `/save ${saved}`, 'something else', `/load ${saved}`, turns[2]!]);
    expect([first.answers[0], first.answers[1], first.answers[3]]).toEqual(whole.answers);
    expect(first.notes).toMatch(/^saved 216 kB after 23 tokens to .*a\.state$/m);
    expect(first.notes).toMatch(/^going on after 23 tokens$/m);
    expect((await sound([turns[2]!], [...greedy, '--state-in', saved, '--state-out', out])).answers).toEqual([
      whole.answers[2],
    ]);
    expect((await sound(['/stats'], [...greedy, '--state-in', out])).notes).toMatch(/^state\s+32 tokens in/m);
    expect((await readdir(folder)).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('undoes turns one by one, back to the beginning', async () => {
    const { answers, notes } = await sound([
      fox.prompt,
      ' The queen',
      '/undo',
      ' The queen',
      '/undo',
      '/undo',
      '/stats',
      fox.prompt,
    ]);
    expect(answers[2]).toBe(answers[1]);
    expect(answers[3]).toBe(answers[0]);
    expect(notes).toMatch(/^back to before " The queen", after 13 tokens$/m);
    expect(notes).toMatch(/^back to before "Once upon a time", after 0 tokens$/m);
    expect(notes).toMatch(/^state\s+0 tokens in 216 kB, whatever their number$/m);
    expect(notes).toMatch(/^turns\s+0, of which 0 can be undone \(0 B\)$/m);
  });

  it('keeps no more copies than it may', async () => {
    const lines = ['A', ' B', ' C', '/stats', '/undo', '/undo', '/undo'];
    const { code, stderr } = await chat(lines, [...greedy, '--max-new-tokens', '1', '--undo-turns', '2']);
    expect(stderr).toMatch(/^turns\s+3, of which 2 can be undone \(432 kB\)$/m);
    expect(stderr.match(/^back to before/gm)).toHaveLength(2);
    expect(stderr).toMatch(/^error: \/undo: there is no turn to go back to$/m);
    expect(code).toBe(1);
  });

  it('answers again with other random numbers, in the place of the old answer', async () => {
    const drawn = ['--temperature', '1.2', '--max-new-tokens', '12', '--seed', '5', '--dtype', 'fp32'];
    const lines = [fox.prompt, '/retry', '/retry', '/stats', '/undo', '/stats'];
    const { answers, notes } = await sound(lines, drawn);
    expect(new Set(answers).size).toBeGreaterThan(1);
    expect(notes).toMatch(/^turns\s+1, of which 1 can/m);
    expect(notes).toMatch(/^state\s+0 tokens/m);
    expect((await sound(lines, drawn)).answers).toEqual(answers);
    const certain = await sound([fox.prompt, '/retry', '']);
    expect(certain.answers[1]).toBe(certain.answers[0]);
    expect(fox.greedy_text.startsWith(certain.answers[1]! + certain.answers[2]!)).toBe(true);
  });

  it('forgets everything when reset', async () => {
    const { answers, notes } = await sound([fox.prompt, '/reset', fox.prompt, '/stats']);
    expect(answers[1]).toBe(answers[0]);
    expect(position(notes)).toBe(13);
  });

  it('leaves a stop text out of the state too', async () => {
    const argv = ['--temperature', '0', '--dtype', 'fp32', '--max-new-tokens', '12'];
    const { answers } = await sound([fox.prompt, ' who'], [...argv, '--stop', ' who']);
    expect(answers[0]).toBe(fox.greedy_text.slice(0, fox.greedy_text.indexOf(' who')));
    expect(fox.greedy_text.startsWith(`${answers[0]} who${answers[1]}`)).toBe(true);
    // A stop text that ends in the middle of a token: what was shown is what has been read.
    const middle = await sound([fox.prompt, '/stats'], [...argv, '--stop', 'ing wh']);
    const shown = middle.answers[0]!;
    expect(shown).toBe(fox.greedy_text.slice(0, fox.greedy_text.indexOf('ing wh')));
    const read = await captureRun(['generate', '--device', 'cpu', '--json', '--prompt', fox.prompt + shown, ...argv]);
    expect(position(middle.notes)).toBe(JSON.parse(read.stdout).promptIds.length);
  });

  it('ends with /exit whatever follows, and says a line that begins with // with one /', async () => {
    const { answers, notes } = await sound(['//', '/exit', fox.prompt, '/nonsense'], [...greedy, '--stats']);
    expect(answers).toHaveLength(1);
    expect(notes).toMatch(/^2 tokens read/m);
    expect((await sound([])).answers).toEqual([]);
    expect((await sound(['/help'])).notes).toMatch(/^\/save FILE {2}save the conversation/m);
  });
});

describe('chat by a template', () => {
  const plain = [...greedy, '--chat-template', 'plain', '--stats'];

  it('lays out instructions and turns, and closes what was cut off', async () => {
    const argv = [...plain, '--system', 'Be kind.'];
    const first = (await sound(['Hi'], argv)).text.slice(0, -1);
    const { text, notes } = await sound(['Hi', '', 'Who are you?', '/stats'], argv);
    expect(notes).not.toMatch(/^note/m);
    expect(notes.match(/^\(cut off after 8 tokens; --max-new-tokens allows more\)$/gm)).toHaveLength(2);
    const whole = await captureRun([
      ...['generate', '--device', 'cpu', ...greedy, '--json', '--prompt'],
      `System: Be kind.\n\nUser: Hi\n\nAssistant:${first}\n\nUser: Who are you?\n\nAssistant:`,
    ]);
    const report = JSON.parse(whole.stdout);
    expect(text).toBe(`${first}\n${report.text}\n`);
    expect(position(notes)).toBe(report.position);
  });

  it('saves a state that any chat of this kind goes on from', async () => {
    const state = join(folder, 'plain.state');
    const whole = await sound(['Hi', 'Who are you?'], plain);
    const first = await sound(['Hi'], [...plain, '--state-out', state]);
    const then = await sound(['Who are you?'], [...plain, '--state-in', state]);
    expect(first.text + then.text).toBe(whole.text);
  });

  it('takes a template from a file, and hands on what it says against roles', async () => {
    const file = join(folder, 'strict.jinja');
    await writeFile(
      file,
      `{% for m in messages %}{% if m.content == 'bad' %}{{ raise_exception('no bad words') }}{% endif %}({{ m.content }}){% endfor %}`,
    );
    const { code, stdout, stderr } = await chat(['bad', 'good', '/stats'], [...greedy, '--chat-template', file]);
    expect(stderr).toMatch(/^error: applyChatTemplate: the template does not take these messages: no bad words$/m);
    expect(stdout).toMatch(/\S/);
    expect(stderr).toMatch(/^turns\s+1,/m);
    expect(code).toBe(1);
  });
});

describe('bad input', () => {
  it('is refused, and the conversation goes on as if it had not been', async () => {
    const state = join(folder, 'sound.state');
    await sound([fox.prompt, `/save ${state}`]);
    const damaged = damagedStates(await readFile(state));
    const loads: string[] = [];
    for (const [at, [, bytes]] of damaged.entries()) {
      await writeFile(join(folder, `bad-${at}.state`), bytes);
      loads.push(`/load ${join(folder, `bad-${at}.state`)}`);
    }
    const elsewhere = ['/save no/such/folder/x', `/save ${folder}`, '/load no/such/file', `/load ${folder}`];
    if (process.platform === 'linux') elsewhere.push('/save /proc/x.state');
    const unclear = ['/svae x', '/save', '/load', '/undo 3', '/'];
    const { code, stdout, stderr } = await chat([fox.prompt, ...loads, ...elsewhere, ...unclear, '', '/undo', '/undo']);
    for (const [name, , message] of damaged) expect(stderr, name).toMatch(message);
    expect(stderr).toMatch(/^error: state: cannot save to no\/such\/folder\/x: ENOENT/m);
    expect(stderr).toMatch(/^error: state: cannot read no\/such\/file: ENOENT/m);
    expect(stderr).toMatch(/^error: there is no command \/svae; \/help lists them/m);
    expect(stderr).toMatch(/^error: \/save needs a name: \/save FILE$/m);
    expect(stderr).toMatch(/^error: \/undo takes nothing after it, got 3$/m);
    const wrong = loads.length + elsewhere.length + unclear.length;
    expect(stderr.match(/^error: /gm)).toHaveLength(wrong);
    expect(stderr.match(/^back to before/gm)).toHaveLength(2);
    const [first, second] = stdout.split('\n');
    expect(fox.greedy_text.startsWith(first! + second!)).toBe(true);
    expect(code).toBe(1);
  });

  it.each([
    ['instructions for a model without a template', ['--system', 'a'], /--system needs a chat template/, 1],
    ['instructions in the middle', ['--system', 'a', '--state-in', 'x'], /give one of them/, 2],
    ['a state that is not there', ['--state-in', 'no/such'], /cannot read no\/such: ENOENT/, 1],
    ['a place that is not there', ['--state-out', 'no/such/x'], /cannot save to no\/such\/x: ENOENT/, 1],
    ['a template that is not there', ['--chat-template', 'no/such'], /cannot read no\/such: ENOENT.*"plain"/, 1],
    ['half a turn', ['--undo-turns', '1.5'], /must be a whole number from 0 up/, 2],
    ['an unknown option', ['--prompt', 'a'], /unknown option '--prompt'/, 2],
  ])('%s', async (_, argv, message, expected) => {
    const { code, stdout, stderr } = await chat(['Hi'], argv);
    expect(stderr).toMatch(message);
    expect(stdout).toBe('');
    expect(code).toBe(expected);
  });
});

describe('at a terminal', () => {
  /** Types on a terminal: each of `steps` when what is shown and answered by then says so. */
  async function typed(
    steps: [when: (shown: string, answered: string) => boolean, keys: string][],
    argv: readonly string[] = greedy,
  ): Promise<CapturedRun> {
    const stdin: MaybeTty<Readable> & PassThrough = new PassThrough();
    stdin.isTTY = true;
    let [shown, answered, step] = ['', '', 0];
    const look = () => {
      const [when, keys] = steps[step] ?? [() => false, ''];
      if (!when(shown, answered)) return;
      step++;
      // People are slower than the call that shows them something.
      setImmediate(() => {
        stdin.write(keys);
        look();
      });
    };
    const run = await captureRun(['chat', '--device', 'cpu', ...argv], {
      stdin,
      stderrIsTty: true,
      onStderr: (soFar) => {
        shown = soFar;
        look();
      },
      onStdout: (soFar) => {
        answered = soFar;
        look();
      },
    });
    expect(step).toBe(steps.length);
    return run;
  }
  const asked = (shown: string) => shown.includes('> ');
  const hints = (shown: string) => shown.split('again ends').length - 1;

  it('asks, answers, and ends with Ctrl-D', async () => {
    const { code, stdout, stderr } = await typed([
      [asked, `${fox.prompt}\r`],
      [(_, answered) => answered.endsWith('\n'), '/stats\r'],
      [(shown) => shown.includes('seed'), '\u0004'],
    ]);
    expect(fox.greedy_text.startsWith(stdout.trimEnd())).toBe(true);
    expect(stderr).toMatch(/\/help lists the commands; Ctrl-D ends/);
    expect(code).toBe(0);
  });

  it('ends with Ctrl-C pressed twice, not once, and saves what is to be saved', async () => {
    const state = join(folder, 'interrupted.state');
    const { code } = await typed(
      [
        [asked, 'half a line\u0003'],
        [(shown) => hints(shown) === 1, 'A\r'],
        [(_, answered) => answered.endsWith('\n'), '\u0003'],
        [(shown) => hints(shown) === 2, '\u0003'],
      ],
      [...greedy, '--state-out', state],
    );
    expect(code).toBe(0);
    // BOS and "A", without the half line.
    expect((await sound(['/stats'], [...greedy, '--state-in', state])).notes).toMatch(/^state\s+10 tokens/m);
  });
});
