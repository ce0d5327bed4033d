import { describe, expect, it } from 'vitest';
import { captureRun } from '../testing/captured-run.ts';
import { endsStory } from './start.ts';

describe('endsStory', () => {
  it.each([
    ['a sentence that is over', 'She went home.', ' The', true],
    ['a sentence with its closing quote', "'Who is there?'", ' said', true],
    ['a sentence and a line break', 'She went home.\n', 'The', true],
    ['a quote that is still to be closed', "'I am here.", "'", false],
    ['the middle of a sentence', 'She went', ' home', false],
    ['a decimal', 'It cost 3.', '50', false],
  ])('%s', (_, text, next, ends) => {
    expect(endsStory({ text, tokens: 200 }, next)).toBe(ends);
    expect(endsStory({ text, tokens: 199 }, next)).toBe(false);
  });
});

describe('start', () => {
  it('tells a story to its end and says where it was computed', async () => {
    const { code, stdout, stderr } = await captureRun(['start', '--seed', '1', '--device', 'cpu']);
    expect(stdout).toMatch(/^Once upon a time/);
    expect(stdout.length).toBeGreaterThan(300);
    expect(stderr).toMatch(/^device: cpu, as asked\n/);
    expect(stderr).toMatch(/\d+ tokens at [\d.]+ tokens\/s on cpu, the first after .+; --seed 1 tells it again\n$/);
    expect(code).toBe(0);
    const tokens = Number(/(\d+) tokens at/.exec(stderr)?.[1]);
    expect(tokens).toBeLessThanOrEqual(280);
    // It ends with a sentence, unless that one was too long or the model ended the story itself.
    if (tokens > 200 && tokens < 280) expect(stdout).toMatch(/[.!?]['"’”)]*\n$/);
  });

  it.each([
    ['stop where it ends with a sentence', [], /[.!?]['"’”)]*$/, 'stop'],
    ['length where it is cut', ['--max-new-tokens', '20'], /[^.]$/, 'length'],
  ])('reports %s', async (_, more, end, finishReason) => {
    const argv = ['start', '--seed', '1', '--device', 'cpu', '--json', ...more];
    const report = JSON.parse((await captureRun(argv)).stdout);
    expect(report.ids.length).toBeLessThan(280);
    expect(report.text).toMatch(end);
    expect(report.finishReason).toBe(finishReason);
  });

  it('takes a prompt in words and the options of generate', async () => {
    const argv = ['start', 'The', 'fox said', '--device', 'cpu', '--max-new-tokens', '5', '--temperature', '0'];
    const { code, stdout, stderr } = await captureRun([...argv, '--quiet']);
    expect(stdout).toMatch(/^The fox said\S* /);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const json = JSON.parse((await captureRun([...argv, '--json'])).stdout);
    expect(json.ids).toHaveLength(5);
    expect(stdout).toBe(`The fox said${json.text}\n`);
  });
});
