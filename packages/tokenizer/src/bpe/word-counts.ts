import { TokenizerError } from '@xlstm/device';
import { patternOfTexts } from '../added-token-splitter.ts';
import { GPT2_PATTERN } from '../pre-tokenizer.ts';
import { describe } from '../tokenizer-from-parts.ts';
import type { Pauses } from './pauses.ts';

/** Words between two looks at the clock. */
const WORDS_A_LOOK = 4096;

export interface WordCountOptions {
  /** Cut out of the texts, the longest first where several begin at one place. */
  readonly specialTokens: readonly string[];
  readonly pauses: Pauses;
  /** Told the UTF-16 units counted so far. */
  readonly onCounted: (units: number) => void;
}

/**
 * How often each word of the texts comes: NFC, then GPT-2's pattern. A text is over before the next begins: no word goes
 * across. Only the different words are kept, so that a corpus far larger than the memory can be counted.
 *
 * @throws TokenizerError for a text that is no string; the signal's reason when aborted.
 */
export async function countWords(
  texts: AsyncIterable<string> | Iterable<string>,
  { specialTokens, pauses, onCounted }: WordCountOptions,
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  const special = patternOfTexts(specialTokens);
  // A pattern of our own: it remembers its place, and another training may run while this one pauses.
  const pattern = new RegExp(GPT2_PATTERN);
  let units = 0;
  for await (const text of texts) {
    if (typeof text !== 'string') {
      throw new TokenizerError(`trainByteLevelBpe: every text must be a string, got ${describe(text)}`);
    }
    for (const part of special === undefined ? [text] : text.split(special)) {
      const normalized = part.normalize('NFC');
      let words = 0;
      pattern.lastIndex = 0;
      for (let match = pattern.exec(normalized); match !== null; match = pattern.exec(normalized)) {
        addWord(counts, match[0]);
        if (++words % WORDS_A_LOOK === 0 && pauses.due) {
          onCounted(units + pattern.lastIndex);
          // `exec` of a global pattern goes on at `lastIndex`, which the pause leaves alone.
          await pauses.pause();
        }
      }
      units += part.length;
    }
    if (pauses.due) {
      onCounted(units);
      await pauses.pause();
    }
  }
  onCounted(units);
  return counts;
}

function addWord(counts: Map<string, number>, word: string): void {
  const count = counts.get(word);
  if (count !== undefined) {
    counts.set(word, count + 1);
    return;
  }
  // What a pattern matches may be a view of the whole text and would keep it alive; this is a copy.
  const copy = DECODER.decode(ENCODER.encode(word));
  counts.set(copy, (counts.get(copy) ?? 0) + 1);
}

const ENCODER = new TextEncoder();
const DECODER: InstanceType<typeof TextDecoder> = new TextDecoder('utf-8', { ignoreBOM: true });
