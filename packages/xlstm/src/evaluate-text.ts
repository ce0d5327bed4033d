import { DisposedError, OptionError, ShapeError } from '@xlstm/device';
import type { Tokenizer } from '@xlstm/tokenizer';
import { evaluateWindows, type WindowOptions } from '@xlstm/xlstm-large';
import type { XlstmModel } from './from-pretrained.ts';

/** Options of `evaluateText`. */
export interface EvaluateOptions extends WindowOptions {
  /** A line that holds only this divides the text into documents; `<|endoftext|>` by default. */
  documentSeparator?: string | undefined;
  /** Counts the predictions of so many tokens, from the beginning; all by default. */
  maxTokens?: number | undefined;
}

/** How well a model predicts a text. */
export interface Evaluation {
  /** Mean cross-entropy, in nats per token. */
  loss: number;
  /** Of a token: `exp(loss)`. */
  perplexity: number;
  /** All nats as bits, per UTF-8 byte of the documents: comparable between tokenizers. */
  bitsPerByte: number;
  /** Predictions that count: every token but the first, those that begin a document among them. */
  tokens: number;
  bytes: number;
  documents: number;
  /** Seconds that it took, less those for making ids of the text. */
  seconds: number;
  tokensPerSecond: number;
}

const OPTION_NAMES = [
  'context',
  'stride',
  'documentSeparator',
  'maxTokens',
  'signal',
  'onProgress',
] as const satisfies readonly (keyof EvaluateOptions)[];

function checkOptions(options: EvaluateOptions): void {
  for (const name of Object.keys(options)) {
    if (!(OPTION_NAMES as readonly string[]).includes(name)) {
      throw new OptionError(`evaluateText: no option is called "${name}"; it takes ${OPTION_NAMES.join(', ')}`);
    }
  }
  const { maxTokens, documentSeparator } = options;
  if (maxTokens !== undefined && !(Number.isSafeInteger(maxTokens) && maxTokens >= 1)) {
    throw new OptionError(`evaluateText: maxTokens must be a positive integer, got ${maxTokens}`);
  }
  if (documentSeparator === '')
    throw new OptionError('evaluateText: documentSeparator must not be empty; leave it out');
}

/** The documents of a text. The line break before a separator belongs to it; documents of white space are left out. */
function documentsOf(text: string, separator: string): string[] {
  const literal = separator.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const parts = text.split(new RegExp(`(?<![^\\n])${literal}\\r?(?:\\n|$)`));
  return parts
    .map((part, index) => (index < parts.length - 1 ? part.replace(/\r?\n$/, '') : part))
    .filter((part) => /\S/.test(part));
}

interface EncodedText {
  ids: number[];
  bytes: number;
  documents: number;
}

const utf8 = new TextEncoder();

/** Ids of the documents, each after the id that begins one, as far as `limit` ids; and what text those are. */
async function encodeDocuments(
  tokenizer: Tokenizer,
  documents: readonly string[],
  limit: number,
  signal: AbortSignal | undefined,
): Promise<EncodedText> {
  // Models without BOS that know an end were trained on texts that end before the next begins.
  const begin = tokenizer.bosId ?? tokenizer.eosIds[0];
  if (begin === undefined && documents.length > 1) {
    throw new OptionError(
      `evaluateText: the text has ${documents.length} documents, and this tokenizer has neither BOS nor EOS to put between them; pass one document at a time`,
    );
  }
  const ids: number[] = [];
  let bytes = 0;
  let read = 0;
  for (const document of documents) {
    signal?.throwIfAborted();
    if (ids.length >= limit) break;
    const own = tokenizer.encode(document, { addBos: false });
    const room = limit - ids.length - (begin === undefined ? 0 : 1);
    const taken = own.length > room ? own.slice(0, room) : own;
    bytes += utf8.encode(taken === own ? document : tokenizer.decode(taken)).length;
    // The first token of a text without a beginning is not predicted, so its bytes are not either.
    if (begin === undefined) bytes -= utf8.encode(tokenizer.decode(taken.slice(0, 1))).length;
    else ids.push(begin);
    for (const id of taken) ids.push(id);
    read++;
    // A long text takes seconds; signals are let through.
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  return { ids, bytes, documents: read };
}

/**
 * How well a model predicts a text: loss, perplexity, bits per byte. Lines that hold only `<|endoftext|>` divide it into
 * documents, each read after the model's begin id (BOS, else EOS). The state is carried through the whole text; with
 * `context` the text is read in windows from an empty state instead, which overlap where `stride` is shorter.
 *
 * @throws OptionError for unknown options, windows that leave tokens out, or a text with nothing to predict;
 *   DisposedError after `dispose()`; `signal.reason` on abort.
 * @example
 * ```ts
 * const { loss, bitsPerByte } = await evaluateText(model, await readFile('valid.txt', 'utf8'))
 * ```
 */
export async function evaluateText(
  model: XlstmModel,
  text: string,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  checkOptions(options);
  if (model.disposed) throw new DisposedError('evaluateText: the model was disposed; load it again');
  const { documentSeparator = '<|endoftext|>', maxTokens = Number.POSITIVE_INFINITY, ...windows } = options;
  const parts = documentsOf(text, documentSeparator);
  if (parts.length === 0) throw new OptionError('evaluateText: the text is empty; pass one with words in it');
  const { ids, bytes, documents } = await encodeDocuments(model.tokenizer, parts, maxTokens + 1, windows.signal);
  if (ids.length < 2) {
    throw new ShapeError(
      `evaluateText: the text must have at least 2 tokens, so that one can be predicted, got ${ids.length}`,
    );
  }
  const begun = performance.now();
  const { nats, predictions } = await evaluateWindows(model.model, ids, windows);
  const seconds = (performance.now() - begun) / 1000;
  const loss = nats / predictions;
  return {
    loss,
    perplexity: Math.exp(loss),
    bitsPerByte: nats / Math.LN2 / bytes,
    tokens: predictions,
    bytes,
    documents,
    seconds,
    tokensPerSecond: predictions / seconds,
  };
}
