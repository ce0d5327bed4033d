import { TokenizerError } from '@xlstm/device';
import { applyChatTemplate, type ChatMessage, type Tokenizer } from '@xlstm/tokenizer';

/** How what people type becomes tokens, turn by turn: only a new turn is ever read. */
export interface TurnFormat {
  readonly kind: 'template' | 'continuation';
  /** Ids that end an answer, beside those that the model's configuration names. */
  readonly endIds: readonly number[];
  /** Ids of a turn, up to where the answer begins; `fresh` for the first one of a conversation. */
  turnIds(text: string, fresh: boolean): Promise<number[]>;
  /** Ids between an answer and the next turn; `endId` is the end token that the model has written and read itself. */
  closingIds(endId: number | undefined): number[];
}

/** What is typed is appended to the text, as it is, and the model goes on. For models that know no roles. */
export function continuationFormat(tokenizer: Tokenizer): TurnFormat {
  return {
    kind: 'continuation',
    endIds: [],
    turnIds: async (text, fresh) => tokenizer.encode(text, { addBos: fresh && tokenizer.addsBos }),
    closingIds: () => [],
  };
}

/** Stands for an answer in a template, to find what comes after one. No one types it. */
const ANSWER = '\ue0a1answer\ue0a2';
const ASKED: ChatMessage = { role: 'user', content: 'question' };
const ANSWERED: ChatMessage = { role: 'assistant', content: ANSWER };

/**
 * Turns laid out by a chat template. A later turn is what the template puts behind an answer, whichever: so neither the
 * conversation's text nor its tokens need to be kept, and a state that was saved is enough to go on.
 *
 * @throws TokenizerError when there is no template, or it cannot be used turn by turn.
 */
export async function templateFormat(
  tokenizer: Tokenizer,
  options: { template?: string | undefined; system?: string | undefined },
): Promise<TurnFormat> {
  const { template, system } = options;
  const instructions: ChatMessage[] = system === undefined ? [] : [{ role: 'system', content: system }];
  const render = (messages: readonly ChatMessage[], addGenerationPrompt: boolean) =>
    applyChatTemplate(tokenizer, messages, { template, addGenerationPrompt });
  const afterAnswer = (text: string): string => {
    const at = text.lastIndexOf(ANSWER);
    if (at < 0) {
      throw new TokenizerError(
        'chat: the chat template does not write out what the assistant said, so it cannot be used turn by turn; name another with --chat-template',
      );
    }
    return text.slice(at + ANSWER.length);
  };
  const nextTurn = async (text: string) =>
    afterAnswer(await render([ASKED, ANSWERED, { role: 'user', content: text }], true));

  await render([...instructions, ASKED], true);
  const closed = afterAnswer(await render([ASKED, ANSWERED], false));
  const closing = (await nextTurn('')).startsWith(closed) ? closed : '';
  const encode = (text: string) => tokenizer.encode(text, { addBos: false });
  const endId = encode(closing).find((id) => tokenizer.specialTokens.has(id));

  return {
    kind: 'template',
    endIds: endId === undefined ? [] : [endId],
    turnIds: async (text, fresh) => {
      if (fresh) return tokenizer.encode(await render([...instructions, { role: 'user', content: text }], true));
      const turn = await nextTurn(text);
      // A template may close an answer in another way when another turn follows it.
      return encode(turn.startsWith(closing) ? turn.slice(closing.length) : turn);
    },
    closingIds: (written) => {
      const ids = encode(closing);
      return written === undefined ? ids : ids.slice(ids.indexOf(written) + 1);
    },
  };
}
