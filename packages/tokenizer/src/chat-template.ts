import { OptionError, TokenizerError } from '@xlstm/device';
import type { Tokenizer } from './tokenizer.ts';
import { checkOptionNames, describe } from './tokenizer-from-parts.ts';

/** What someone said. Fields beyond these two reach the template as they are. */
export interface ChatMessage {
  /** `user`, `assistant`, `system`, or whatever else the template knows. */
  readonly role: string;
  readonly content: string;
}

export interface ChatTemplateOptions {
  /** End with what opens the assistant's answer, so that a model goes on with it (default `false`). */
  readonly addGenerationPrompt?: boolean | undefined;
  /** Name of one of the tokenizer's templates, or a template itself; `default` if left out. */
  readonly template?: string | undefined;
}

/**
 * A template for base models, which have none: a transcript with `User:` and `Assistant:` before what each says. Such
 * a model does not end its answer by itself: stop it at `PLAIN_CHAT_STOP`.
 */
export const PLAIN_CHAT_TEMPLATE: string = [
  `{% for message in messages %}`,
  `{{ message['role'] | capitalize }}: {{ message['content'] | trim }}{{ '\\n\\n' }}`,
  `{% endfor %}`,
  `{% if add_generation_prompt %}Assistant:{% endif %}`,
].join('');

/** What a base model writes after its answer when it goes on with the transcript of `PLAIN_CHAT_TEMPLATE`. */
export const PLAIN_CHAT_STOP = '\n\nUser:';

/**
 * The text of a conversation, laid out as the model's chat template (Jinja, from `tokenizer_config.json`) says.
 *
 * The template sees `messages`, `add_generation_prompt` and the tokenizer's special tokens (`bos_token`, `eos_token`,
 * …). `encode` the text as it is: where the template writes BOS, `encode` adds no second one. Special tokens that a
 * message spells out become such tokens, as in Hugging Face's libraries.
 *
 * Jinja is loaded on the first call, so that whoever does not chat carries nothing of it.
 *
 * @throws TokenizerError when the tokenizer has no such template, or the template is malformed or refuses the messages;
 * OptionError for messages and options of another form.
 * @example
 * const text = await applyChatTemplate(tokenizer, [{ role: 'user', content: 'Hi' }], { addGenerationPrompt: true });
 * const promptIds = tokenizer.encode(text);
 */
export async function applyChatTemplate(
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
  options: ChatTemplateOptions = {},
): Promise<string> {
  checkOptionNames('applyChatTemplate', options, ['addGenerationPrompt', 'template']);
  const { addGenerationPrompt = false, template } = options;
  if (typeof addGenerationPrompt !== 'boolean') {
    throw new OptionError(
      `applyChatTemplate: addGenerationPrompt must be true or false, got ${describe(addGenerationPrompt)}`,
    );
  }
  checkMessages(messages);
  const source = templateSource(tokenizer, template);
  const { Template } = await import('@huggingface/jinja');
  let parsed: InstanceType<typeof Template>;
  try {
    parsed = new Template(source);
  } catch (cause) {
    throw new TokenizerError(`applyChatTemplate: the template is not valid Jinja: ${(cause as Error).message}`, {
      cause,
    });
  }
  try {
    return parsed.render({ ...tokenizer.namedTokens, messages, add_generation_prompt: addGenerationPrompt });
  } catch (cause) {
    throw new TokenizerError(
      `applyChatTemplate: the template does not take these messages: ${(cause as Error).message}`,
      { cause },
    );
  }
}

function checkMessages(messages: unknown): void {
  if (!Array.isArray(messages) || messages.length === 0) {
    const got = Array.isArray(messages) ? 'an empty one' : describe(messages);
    throw new OptionError(`applyChatTemplate: messages must be an array of { role, content }, got ${got}`);
  }
  messages.forEach((message: Partial<ChatMessage> | null, at) => {
    for (const field of ['role', 'content'] as const) {
      if (typeof message?.[field] !== 'string') {
        throw new OptionError(
          `applyChatTemplate: messages[${at}].${field} must be a text, got ${describe(message?.[field])}`,
        );
      }
    }
  });
}

function templateSource(tokenizer: Tokenizer, wanted: string | undefined): string {
  const { chatTemplates } = tokenizer;
  if (wanted !== undefined && typeof wanted !== 'string') {
    throw new OptionError(`applyChatTemplate: template must be a name or a template, got ${describe(wanted)}`);
  }
  const found = chatTemplates.get(wanted ?? 'default');
  if (found !== undefined) return found;
  const names = [...chatTemplates.keys()].map((name) => JSON.stringify(name)).join(', ');
  if (wanted === undefined) {
    throw new TokenizerError(
      names === ''
        ? 'applyChatTemplate: the tokenizer has no chat_template, as is usual for base models; pass one as `template` (PLAIN_CHAT_TEMPLATE is one that suits them), or give the model plain text'
        : `applyChatTemplate: none of the tokenizer's templates is called "default"; pass one of ${names} as \`template\``,
    );
  }
  // Without any Jinja in it, a text would swallow all messages: that is a name, and a wrong one.
  if (!/\{[{%]/.test(wanted)) {
    throw new TokenizerError(
      `applyChatTemplate: template must be one of the tokenizer's (${names || 'it has none'}) or a Jinja template, got ${describe(wanted)}`,
    );
  }
  return wanted;
}
