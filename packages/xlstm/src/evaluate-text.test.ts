import { resolve } from 'node:path';
import { createCpuDevice, DisposedError, OptionError, ShapeError } from '@xlstm/device';
import { byteTokenizer, type Tokenizer } from '@xlstm/tokenizer';
import { evaluateLoss } from '@xlstm/xlstm-large';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { evaluateText } from './evaluate-text.ts';
import { fromPretrained, XlstmModel } from './from-pretrained.ts';

const STORIES = resolve(import.meta.dirname, '../../../apps/cli/models/stories');

let stories: XlstmModel;
beforeAll(async () => {
  stories = await fromPretrained(STORIES, { device: createCpuDevice() });
});
afterAll(() => stories.dispose());

/** The weights of the stories model under another tokenizer. */
function withTokenizer(tokenizer: Tokenizer): XlstmModel {
  return new XlstmModel(stories.model, tokenizer, 'for a test', false);
}

describe('evaluateText', () => {
  it('predicts the bytes after the first where nothing begins a text', async () => {
    const { loss, tokens, bytes, bitsPerByte } = await evaluateText(
      withTokenizer(byteTokenizer({ vocabSize: 256 })),
      'Fuß',
    );
    expect([tokens, bytes]).toEqual([3, 3]);
    const ids = [...new TextEncoder().encode('Fuß')];
    expect(loss).toBeCloseTo(await evaluateLoss(stories.model, ids), 5);
    expect(bitsPerByte).toBeCloseTo(loss / Math.LN2, 9);
  });

  it('begins documents with EOS where there is no BOS, and refuses several where there is neither', async () => {
    const text = 'ab\n---\ncd';
    const eos = withTokenizer(byteTokenizer({ eosTokenId: 256, vocabSize: 257 }));
    const { loss, documents, tokens, bytes } = await evaluateText(eos, text, { documentSeparator: '---' });
    expect([documents, tokens, bytes]).toEqual([2, 5, 4]);
    expect(loss).toBeCloseTo(await evaluateLoss(stories.model, [256, 97, 98, 256, 99, 100]), 5);
    const none = evaluateText(withTokenizer(byteTokenizer({ vocabSize: 256 })), text, { documentSeparator: '---' });
    await expect(none).rejects.toThrow(/2 documents, and this tokenizer has neither BOS nor EOS/);
  });

  it('counts the bytes of the tokens that it predicts', async () => {
    const text = 'Once upon a time there was a king.';
    const { tokens, bytes, documents } = await evaluateText(stories, `${text}\n<|endoftext|>\n${text}`, {
      maxTokens: 4,
    });
    expect([tokens, bytes, documents]).toEqual([4, 'Once upon a time'.length, 1]);
  });

  it('refuses what makes no sense', async () => {
    const options = (given: object) => evaluateText(stories, 'The king', given);
    await expect(options({ windows: 3 })).rejects.toThrow(/no option is called "windows"; it takes context, stride/);
    await expect(options({ context: 4, stride: 8 })).rejects.toThrow(OptionError);
    await expect(options({ maxTokens: 0 })).rejects.toThrow(/maxTokens must be a positive integer, got 0/);
    await expect(options({ documentSeparator: '' })).rejects.toThrow(/documentSeparator must not be empty/);
    await expect(evaluateText(stories, ' \n')).rejects.toThrow(/the text is empty/);
    await expect(evaluateText(withTokenizer(byteTokenizer({ vocabSize: 256 })), 'a')).rejects.toThrow(ShapeError);
    await expect(evaluateText(stories, 'a', { signal: AbortSignal.abort(new Error('no')) })).rejects.toThrow('no');
    const gone = await fromPretrained(STORIES, { device: 'cpu' });
    await gone.dispose();
    await expect(evaluateText(gone, 'The king')).rejects.toThrow(DisposedError);
  });
});
