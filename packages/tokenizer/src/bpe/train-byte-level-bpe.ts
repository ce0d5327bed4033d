import { OptionError, TokenizerError } from '@xlstm/device';
import { CHARACTER_OF_BYTE } from '../byte-alphabet.ts';
import { checkOptionNames, describe } from '../tokenizer-from-parts.ts';
import { type ByteLevelBpeJson, byteLevelBpeJson } from './byte-level-bpe-json.ts';
import { PairHeap } from './pair-heap.ts';
import { Pauses } from './pauses.ts';
import { countWords } from './word-counts.ts';
import { WordTable } from './word-table.ts';

/** How far a training has come. */
export interface BpeProgress {
  /** The texts are read first and counted, then pairs are merged. */
  readonly phase: 'counting' | 'merging';
  /** UTF-16 units read, or entries of the vocabulary. */
  readonly done: number;
  /** `vocabSize` while merging; while counting nobody knows how much is to come. */
  readonly total: number | undefined;
}

export interface TrainByteLevelBpeOptions {
  /** Entries in all: special tokens, 256 bytes, and what is merged. */
  readonly vocabSize: number;
  /** Have the ids from 0; never part of another token (default `['<|endoftext|>']`). */
  readonly specialTokens?: readonly string[] | undefined;
  /** Pairs that come less often are not merged (default 2). */
  readonly minFrequency?: number | undefined;
  /** Called a few times a second. */
  readonly onProgress?: ((progress: BpeProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

const OPTIONS = ['vocabSize', 'specialTokens', 'minFrequency', 'onProgress', 'signal'] as const;
const MAX_VOCABULARY = 2 ** 24;

/**
 * Trains a byte-level BPE tokenizer of the GPT-NeoX kind (NFC, GPT-2's pattern, no prefix space) and gives its
 * `tokenizer.json`, for `loadTokenizer` and for Hugging Face's libraries, which encode the same with it.
 *
 * The same texts give the same file, and the file that Hugging Face's `BpeTrainer` makes of them: the most frequent pair
 * is merged first, of equally frequent ones that with the lower ids. Special tokens are cut out of the texts first.
 * Words do not go across from one text to the next, so cut a large text at line ends or documents.
 *
 * The vocabulary is smaller than `vocabSize` when no pair that comes `minFrequency` times is left.
 *
 * @param texts read once, one after another; only the different words are kept in memory
 * @throws OptionError when `vocabSize` does not hold the bytes and the special tokens, or another option is wrong.
 * TokenizerError when the texts are empty or hold something else than text. The signal's reason when aborted.
 * @see Sennrich et al. 2016, Neural Machine Translation of Rare Words with Subword Units; Radford et al. 2019 (bytes).
 * @example
 * const json = await trainByteLevelBpe(['to be or not to be'], { vocabSize: 264 });
 * loadTokenizer({ tokenizerJson: json }).encode('to be'); // [258, 259]
 */
export async function trainByteLevelBpe(
  texts: AsyncIterable<string> | Iterable<string>,
  options: TrainByteLevelBpeOptions,
): Promise<ByteLevelBpeJson> {
  const { vocabSize, specialTokens, minFrequency } = checkOptions(options);
  checkTexts(texts);
  const { onProgress, signal } = options;
  const pauses = new Pauses(signal);
  const wordCounts = await countWords(texts, {
    specialTokens,
    pauses,
    onCounted: (done) => onProgress?.({ phase: 'counting', done, total: undefined }),
  });
  if (wordCounts.size === 0) {
    throw new TokenizerError(
      'trainByteLevelBpe: there is no text to learn from, all texts are empty or special tokens; check what is read',
    );
  }

  const alphabet = [...CHARACTER_OF_BYTE].sort();
  const tokens = [...specialTokens, ...alphabet];
  const idOf = new Map(tokens.map((token, id) => [token, id]));
  const words = new WordTable(
    wordCounts,
    CHARACTER_OF_BYTE.map((character) => idOf.get(character)!),
  );
  wordCounts.clear();
  const queue = new PairHeap();
  for (const { left, right, count } of words.pairs()) queue.push({ left, right, count });

  const merges: [string, string][] = [];
  const report = (): void => onProgress?.({ phase: 'merging', done: tokens.length, total: vocabSize });
  report();
  while (tokens.length < vocabSize) {
    const top = queue.pop();
    if (top === undefined) break;
    const { left, right } = top;
    const pair = words.pair(left, right)!;
    if (pair.count !== top.count) {
      // Merges since then have used some of it up. Nothing else tells when, so it queues again.
      if (pair.count > 0) queue.push({ left, right, count: pair.count });
      continue;
    }
    if (pair.count < minFrequency) break;

    const token = tokens[left]! + tokens[right]!;
    let id = idOf.get(token);
    if (id !== undefined && id < specialTokens.length) {
      // In the alphabet of bytes it reads like a special token, and must not become one.
      words.drop(pair);
      continue;
    }
    if (id === undefined) {
      id = tokens.push(token) - 1;
      idOf.set(token, id);
    }
    merges.push([tokens[left]!, tokens[right]!]);
    for (const made of words.merge(pair, id)) {
      if (made.count > 0) queue.push({ left: made.left, right: made.right, count: made.count });
    }
    if (pauses.due) {
      report();
      await pauses.pause();
    }
  }
  report();
  return byteLevelBpeJson(specialTokens, tokens, merges);
}

function checkOptions(options: TrainByteLevelBpeOptions): {
  vocabSize: number;
  specialTokens: readonly string[];
  minFrequency: number;
} {
  checkOptionNames('trainByteLevelBpe', options, OPTIONS);
  const { vocabSize, specialTokens = ['<|endoftext|>'], minFrequency = 2 } = options;
  checkSpecialTokens(specialTokens);
  const least = 256 + specialTokens.length;
  if (!Number.isSafeInteger(vocabSize) || vocabSize < least || vocabSize > MAX_VOCABULARY) {
    throw new OptionError(
      `trainByteLevelBpe: vocabSize must be an integer in ${least}..${MAX_VOCABULARY} (256 bytes and ${specialTokens.length} special tokens are always in it), got ${describe(vocabSize)}`,
    );
  }
  if (!Number.isSafeInteger(minFrequency) || minFrequency < 1) {
    throw new OptionError(
      `trainByteLevelBpe: minFrequency must be an integer of 1 or more, got ${describe(minFrequency)}`,
    );
  }
  return { vocabSize, specialTokens: [...specialTokens], minFrequency };
}

function checkSpecialTokens(tokens: unknown): void {
  if (!Array.isArray(tokens)) {
    throw new OptionError(`trainByteLevelBpe: specialTokens must be an array of texts, got ${describe(tokens)}`);
  }
  for (const [i, token] of (tokens as unknown[]).entries()) {
    const expected =
      typeof token !== 'string' || token === ''
        ? 'a text, not empty'
        : CHARACTER_OF_BYTE.includes(token)
          ? 'longer than one letter: each byte has such a token already'
          : tokens.indexOf(token) !== i
            ? 'there once only'
            : undefined;
    if (expected !== undefined) {
      throw new OptionError(`trainByteLevelBpe: specialTokens[${i}] must be ${expected}, got ${describe(token)}`);
    }
  }
}

function checkTexts(texts: unknown): void {
  // A text is itself a sequence of texts, its letters, which is never what is meant.
  const iterable =
    typeof texts === 'object' && texts !== null && (Symbol.iterator in texts || Symbol.asyncIterator in texts);
  if (!iterable) {
    throw new OptionError(
      `trainByteLevelBpe: texts must be an array or another (async) iterable of texts, got ${describe(texts)}; one text goes into [text]`,
    );
  }
}
