import { readFileSync } from 'node:fs';
import { OptionError, TokenizerError } from '@xlstm/device';
import { describe, expect, it } from 'vitest';
import {
  applyChatTemplate,
  byteTokenizer,
  type ChatMessage,
  loadTokenizer,
  PLAIN_CHAT_STOP,
  PLAIN_CHAT_TEMPLATE,
  type Tokenizer,
} from './index.ts';

const text = readFileSync(new URL('../golden/tokenizer/tokenizer.json', import.meta.url), 'utf8');

/** The golden tokenizer with more special tokens and a config. */
function withTokens(tokens: readonly string[], tokenizerConfig: object, bosTokenId?: number): Tokenizer {
  const json = JSON.parse(text) as { added_tokens: object[] };
  tokens.forEach((content, at) => {
    json.added_tokens.push({
      id: 1523 + at,
      content,
      special: true,
      normalized: false,
      lstrip: false,
      rstrip: false,
      single_word: false,
    });
  });
  return loadTokenizer({ tokenizerJson: json, tokenizerConfig, bosTokenId });
}

// Python's jinja2 with trim_blocks and lstrip_blocks, as Hugging Face's libraries set it, gives the same texts.
const CHATML = `{% for turn in messages %}
{{ '<|im_start|>' + turn.role + '\\n' + turn.content + '<|im_end|>' }}
{% endfor %}
{% if add_generation_prompt %}
<|im_start|>assistant
{% endif %}`;

const LLAMA_LIKE = `{{ bos_token }}
{%- set first = messages[0] -%}
{%- set turns = messages[1:] if first['role'] == 'system' else messages -%}
{%- for turn in turns -%}
  {%- if turn['role'] == 'user' -%}
    {{- '[INST] ' -}}
    {%- if loop.first and first['role'] == 'system' -%}
      {{- '<<SYS>>\\n' ~ first['content'] | trim ~ '\\n<</SYS>>\\n\\n' -}}
    {%- endif -%}
    {{- turn['content'] | trim ~ ' [/INST]' -}}
  {%- elif turn['role'] == 'assistant' -%}
    {{- ' ' ~ turn['content'] | trim ~ ' ' ~ eos_token -}}
  {%- else -%}
    {{- raise_exception('Roles must be system, user or assistant, not ' ~ turn['role']) -}}
  {%- endif -%}
{%- endfor -%}`;

const user = (content: string): ChatMessage => ({ role: 'user', content });
const assistant = (content: string): ChatMessage => ({ role: 'assistant', content });
const system = (content: string): ChatMessage => ({ role: 'system', content });

describe('ChatML', () => {
  const tokenizer = withTokens(['<|im_start|>', '<|im_end|>'], { chat_template: CHATML, eos_token: '<|im_end|>' }, 0);

  it('lays out a conversation', async () => {
    const messages = [system('Be brief.'), user('Hi 🙂'), assistant('Hello.\nWell?'), user(' Bye ')];
    const closed =
      '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi 🙂<|im_end|>\n<|im_start|>assistant\nHello.\nWell?<|im_end|>\n<|im_start|>user\n Bye <|im_end|>\n';
    expect(await applyChatTemplate(tokenizer, messages)).toBe(closed);
    const open = await applyChatTemplate(tokenizer, messages, { addGenerationPrompt: true });
    expect(open).toBe(`${closed}<|im_start|>assistant\n`);
  });

  it('encodes to one BOS and the template’s own tokens', async () => {
    const ids = tokenizer.encode(await applyChatTemplate(tokenizer, [user('once')]));
    expect(ids.slice(0, 2)).toEqual([0, 1523]);
    expect(ids.filter((id) => id === 0)).toHaveLength(1);
    expect(ids).toContain(1524);
  });
});

describe('a Llama-like template', () => {
  const config = { chat_template: LLAMA_LIKE, bos_token: '<s>', eos_token: { content: '</s>' } };
  const tokenizer = withTokens(['<s>', '</s>'], config);

  it('lays out a conversation with its special tokens', async () => {
    const messages = [system('Be brief.'), user(' Hi '), assistant('Hello. '), user('Bye')];
    expect(await applyChatTemplate(tokenizer, messages, { addGenerationPrompt: true })).toBe(
      '<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHi [/INST] Hello. </s>[INST] Bye [/INST]',
    );
  });

  it('begins with one BOS, which the template writes', async () => {
    const ids = tokenizer.encode(await applyChatTemplate(tokenizer, [user('once')]));
    expect(tokenizer.addsBos).toBe(true);
    expect(ids[0]).toBe(1523);
    expect(ids.filter((id) => id === 1523)).toHaveLength(1);
  });

  it('hands on what the template says against a role', async () => {
    const attempt = applyChatTemplate(tokenizer, [{ role: 'tool', content: '3' }]);
    await expect(attempt).rejects.toThrow(TokenizerError);
    await expect(attempt).rejects.toThrow(/Roles must be system, user or assistant, not tool/);
  });

  it('takes the end token of the tokenizer config, whichever end the model’s config names', async () => {
    const named = loadTokenizer({
      tokenizerJson: text,
      tokenizerConfig: { chat_template: '{{ eos_token }}{{ pad_token }}', eos_token: '<|padding|>' },
      eosTokenId: [0, 5],
      padTokenId: 0,
    });
    expect(await applyChatTemplate(named, [user('a')])).toBe('<|padding|><|endoftext|>');
  });
});

describe('which template', () => {
  const named = loadTokenizer({
    tokenizerJson: text,
    tokenizerConfig: {
      chat_template: [
        { name: 'default', template: 'usual {{ messages[0].content }}' },
        { name: 'tool_use', template: 'tools {{ messages[0].content }}' },
      ],
    },
  });

  it('is chosen by name or given', async () => {
    expect([...named.chatTemplates.keys()]).toEqual(['default', 'tool_use']);
    expect(await applyChatTemplate(named, [user('a')])).toBe('usual a');
    expect(await applyChatTemplate(named, [user('a')], { template: 'tool_use' })).toBe('tools a');
    expect(await applyChatTemplate(named, [user('a')], { template: '({{ messages[0].content }})' })).toBe('(a)');
  });

  it('must be there', async () => {
    await expect(applyChatTemplate(named, [user('a')], { template: 'rag' })).rejects.toThrow(
      /one of the tokenizer's \("default", "tool_use"\) or a Jinja template, got "rag"/,
    );
    const others = loadTokenizer({
      tokenizerJson: text,
      tokenizerConfig: { chat_template: [{ name: 'rag', template: '{{ 1 }}' }] },
    });
    await expect(applyChatTemplate(others, [user('a')])).rejects.toThrow(/is called "default"; pass one of "rag"/);
    for (const base of [loadTokenizer({ tokenizerJson: text }), byteTokenizer({ vocabSize: 256 })]) {
      await expect(applyChatTemplate(base, [user('a')])).rejects.toThrow(TokenizerError);
      await expect(applyChatTemplate(base, [user('a')])).rejects.toThrow(/PLAIN_CHAT_TEMPLATE/);
    }
  });

  it('can be the plain one for base models, whose stop is what its next turn begins with', async () => {
    const messages = [system('Be kind.'), user('Hi '), assistant(' Hello.')];
    const base = byteTokenizer({ vocabSize: 256 });
    const template = PLAIN_CHAT_TEMPLATE;
    const closed = 'System: Be kind.\n\nUser: Hi\n\nAssistant: Hello.\n\n';
    expect(await applyChatTemplate(base, messages, { template })).toBe(closed);
    const next = await applyChatTemplate(base, [...messages, user('Bye')], { template, addGenerationPrompt: true });
    expect(next).toBe(`${closed}User: Bye\n\nAssistant:`);
    expect(next.startsWith(closed.trimEnd() + PLAIN_CHAT_STOP)).toBe(true);
  });
});

describe('bad input', () => {
  const base = byteTokenizer({ vocabSize: 256 });
  const template = PLAIN_CHAT_TEMPLATE;

  it.each<[string, unknown, RegExp]>([
    ['no messages', [], /messages must be an array of \{ role, content \}, got an empty one/],
    ['a text', 'Hi', /messages must be an array.*got "Hi"/],
    ['a message that is none', [null], /messages\[0\]\.role must be a text, got undefined/],
    [
      'content of another kind',
      [user('a'), { role: 'user', content: 3 }],
      /messages\[1\]\.content must be a text, got 3/,
    ],
  ])('%s', async (_, messages, message) => {
    const attempt = applyChatTemplate(base, messages as ChatMessage[], { template });
    await expect(attempt).rejects.toThrow(OptionError);
    await expect(attempt).rejects.toThrow(message);
  });

  it('refuses options that do not exist or are of another kind', async () => {
    for (const options of [{ add_generation_prompt: true }, { addGenerationPrompt: 1 }, { template: 5 }]) {
      await expect(applyChatTemplate(base, [user('a')], options as object)).rejects.toThrow(OptionError);
    }
  });

  it('says what is wrong with a template', async () => {
    for (const broken of ['{% for m in messages %}', '{{ messages | nonsense }}', '{% if %}x{% endif %}']) {
      await expect(applyChatTemplate(base, [user('a')], { template: broken })).rejects.toThrow(TokenizerError);
    }
    await expect(applyChatTemplate(base, [user('a')], { template: '{% if %}' })).rejects.toThrow(/not valid Jinja/);
  });

  it.each<[string, unknown, RegExp]>([
    ['a number', 3, /chat_template must be a text or an array of \{ name, template \}, got 3/],
    ['a list of texts', ['{{ 1 }}'], /chat_template\[0\] must be an object with name and template/],
    ['an entry without a template', [{ name: 'a' }], /chat_template\[0\]\.template must be a text, got undefined/],
    ['an entry without a name', [{ template: '' }], /chat_template\[0\]\.name must be a text, got undefined/],
    [
      'a name twice',
      [
        { name: 'a', template: '' },
        { name: 'a', template: '' },
      ],
      /chat_template\[1\]\.name must be one that no other template has, got "a"/,
    ],
  ])('a tokenizer_config.json with %s as chat_template', (_, section, message) => {
    const attempt = () => loadTokenizer({ tokenizerJson: text, tokenizerConfig: { chat_template: section } });
    expect(attempt).toThrow(TokenizerError);
    expect(attempt).toThrow(message);
  });
});
