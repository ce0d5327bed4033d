import { readFileSync } from 'node:fs';
import { TokenizerError } from '@xlstm/device';
import { applyChatTemplate, type ChatMessage, loadTokenizer, PLAIN_CHAT_TEMPLATE } from '@xlstm/tokenizer';
import { describe, expect, it } from 'vitest';
import { builtInModel } from '../installed.ts';
import { continuationFormat, templateFormat } from './turn-format.ts';

const [START, END] = [4096, 4097];

/** The built-in model's tokenizer with two more special tokens. */
function tokenizerWith(chatTemplate?: string) {
  const json = JSON.parse(readFileSync(`${builtInModel}/tokenizer.json`, 'utf8')) as { added_tokens: object[] };
  for (const [id, content] of [
    [START, '<|im_start|>'],
    [END, '<|im_end|>'],
  ]) {
    json.added_tokens.push({ id, content, special: true, normalized: false, lstrip: false, rstrip: false });
  }
  return loadTokenizer({
    tokenizerJson: json,
    tokenizerConfig: { eos_token: '<|im_end|>', chat_template: chatTemplate },
    bosTokenId: 0,
  });
}

const CHATML = `{% for turn in messages %}
<|im_start|>{{ turn.role }}
{{ turn.content | trim }}<|im_end|>
{% endfor %}
{% if add_generation_prompt %}
<|im_start|>assistant
{% endif %}`;

const INSTRUCT = `{{ bos_token }}{% for turn in messages %}{% if turn.role == 'user' %}[INST] {{ turn.content }} [/INST]{% else %} {{ turn.content }} {{ eos_token }}{% endif %}{% endfor %}`;

const NO_SYSTEM = `{% for turn in messages %}{% if turn.role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{{ turn.content }}{% endfor %}`;

describe('turns by a chat template', () => {
  it.each([
    ['ChatML', CHATML],
    ['instructions in brackets', INSTRUCT],
    ['the plain transcript', PLAIN_CHAT_TEMPLATE],
  ])('%s: turn by turn is what the whole conversation is', async (_, template) => {
    const tokenizer = tokenizerWith(template);
    const format = await templateFormat(tokenizer, {});
    const said = ['Hello there', 'The fox', 'a second answer', 'And then?'];
    const messages = said.map((content, at): ChatMessage => ({ role: at % 2 ? 'assistant' : 'user', content }));
    // The second answer was cut off; the first ended with the model's own end token, where the template has one.
    const ends = format.endIds;
    const ids = [
      ...(await format.turnIds('Hello there', true)),
      ...tokenizer.encode(template === INSTRUCT ? ' The fox ' : template === CHATML ? 'The fox' : ' The fox', {
        addBos: false,
      }),
      ...ends,
      ...format.closingIds(ends[0]),
      ...(await format.turnIds('a second answer', false)),
    ];
    const [a, b, c] = messages as [ChatMessage, ChatMessage, ChatMessage];
    const conversation = [a, b, { ...c, role: 'user' }];
    const whole = tokenizer.encode(await applyChatTemplate(tokenizer, conversation, { addGenerationPrompt: true }));
    expect(tokenizer.decode(ids)).toBe(tokenizer.decode(whole));
    expect(ids.filter((id) => id === 0)).toEqual([0]);
  });

  it('closes an answer that did not close itself, or that another end token closed', async () => {
    const format = await templateFormat(tokenizerWith(CHATML), {});
    expect(format.endIds).toEqual([END]);
    expect(format.closingIds(undefined)[0]).toBe(END);
    expect(format.closingIds(0)).toEqual(format.closingIds(undefined));
    expect(format.closingIds(END)).toEqual(format.closingIds(undefined).slice(1));
  });

  it('begins with the instructions, once', async () => {
    const tokenizer = tokenizerWith(CHATML);
    const format = await templateFormat(tokenizer, { system: 'Be brief.' });
    expect(tokenizer.decode(await format.turnIds('Hi', true))).toMatch(/system\nBe brief\.<\|im_end\|>/);
    expect(tokenizer.decode(await format.turnIds('Hi', false))).not.toMatch(/Be brief/);
  });

  it('refuses at once what it could not lay out later', async () => {
    await expect(templateFormat(tokenizerWith(NO_SYSTEM), { system: 'a' })).rejects.toThrow(
      /System role not supported/,
    );
    await expect(templateFormat(tokenizerWith(), {})).rejects.toThrow(TokenizerError);
    const deaf = '{{ messages[-1].role }}';
    await expect(templateFormat(tokenizerWith(deaf), {})).rejects.toThrow(/does not write out what the assistant said/);
  });
});

it('continuation appends what is typed, with BOS at the very beginning alone', async () => {
  const tokenizer = tokenizerWith();
  const format = continuationFormat(tokenizer);
  expect(await format.turnIds('', true)).toEqual([0]);
  expect(await format.turnIds('', false)).toEqual([]);
  const [first, then] = [await format.turnIds('The fox', true), await format.turnIds(' said', false)];
  expect(tokenizer.decode([...first, ...then], { skipSpecialTokens: true })).toBe('The fox said');
  expect(then).not.toContain(0);
  expect(format.closingIds(0)).toEqual([]);
});
