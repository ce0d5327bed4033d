/** A pair of ids, and where it was seen. */
export interface Pair {
  readonly left: number;
  readonly right: number;
  /** Occurrences in the corpus; overlapping ones (`aaa` has two `aa`) all count, as in Hugging Face's trainer. */
  count: number;
  /** Words that have had the pair: some may have it no more, and some are listed twice. */
  words: number[];
}

/** The different words of a corpus as ids, with their pairs, while pairs are merged. */
export class WordTable {
  /** Ids of all words one after another; word `w` has `#lengths[w]` of them at `#starts[w]`. */
  readonly #ids: Int32Array;
  readonly #starts: Int32Array;
  readonly #lengths: Int32Array;
  readonly #counts: Float64Array;
  /** The merge that last looked at a word, so that none is looked at twice. */
  readonly #lookedAt: Int32Array;
  readonly #pairs = new Map<number, Pair>();
  #merges = 0;

  /** @param idOfByte id of each byte's own token */
  constructor(wordCounts: ReadonlyMap<string, number>, idOfByte: readonly number[]) {
    const encoder = new TextEncoder();
    const size = wordCounts.size;
    this.#starts = new Int32Array(size);
    this.#lengths = new Int32Array(size);
    this.#counts = new Float64Array(size);
    this.#lookedAt = new Int32Array(size);
    let total = 0;
    for (const word of wordCounts.keys()) total += utf8Length(word);
    this.#ids = new Int32Array(total);
    let start = 0;
    let word = 0;
    for (const [text, count] of wordCounts) {
      const bytes = encoder.encode(text);
      this.#starts[word] = start;
      this.#lengths[word] = bytes.length;
      this.#counts[word] = count;
      for (let i = 0; i < bytes.length; i++) {
        this.#ids[start + i] = idOfByte[bytes[i]!]!;
        if (i > 0) this.#change(this.#ids[start + i - 1]!, this.#ids[start + i]!, count, word);
      }
      start += bytes.length;
      word++;
    }
  }

  /** Every pair that there is. */
  pairs(): Iterable<Pair> {
    return this.#pairs.values();
  }

  /** The pair as it is now. */
  pair(left: number, right: number): Pair | undefined {
    return this.#pairs.get(keyOf(left, right));
  }

  /** No merge of this pair shall come. */
  drop(pair: Pair): void {
    pair.count = 0;
    pair.words = [];
  }

  /** Replaces the pair by `id` in every word; gives the pairs with `id` that came of it. */
  merge(pair: Pair, id: number): Iterable<Pair> {
    const merge = ++this.#merges;
    const made = new Set<Pair>();
    for (const word of pair.words) {
      if (this.#lookedAt[word] === merge) continue;
      this.#lookedAt[word] = merge;
      this.#mergeInWord(word, pair, id, made);
    }
    this.drop(pair);
    return made;
  }

  #mergeInWord(word: number, { left, right }: Pair, id: number, made: Set<Pair>): void {
    const ids = this.#ids;
    const start = this.#starts[word]!;
    const end = start + this.#lengths[word]!;
    const count = this.#counts[word]!;
    let to = start;
    for (let from = start; from < end; from++) {
      if (ids[from] !== left || from + 1 >= end || ids[from + 1] !== right) {
        ids[to++] = ids[from]!;
        continue;
      }
      if (to > start) {
        this.#change(ids[to - 1]!, left, -count, word);
        made.add(this.#change(ids[to - 1]!, id, count, word));
      }
      if (from + 2 < end) {
        this.#change(right, ids[from + 2]!, -count, word);
        made.add(this.#change(id, ids[from + 2]!, count, word));
      }
      ids[to++] = id;
      from++;
    }
    this.#lengths[word] = to - start;
  }

  #change(left: number, right: number, change: number, word: number): Pair {
    const key = keyOf(left, right);
    let pair = this.#pairs.get(key);
    if (pair === undefined) {
      pair = { left, right, count: 0, words: [] };
      this.#pairs.set(key, pair);
    }
    pair.count += change;
    if (change > 0 && pair.words[pair.words.length - 1] !== word) pair.words.push(word);
    return pair;
  }
}

/** Ids are below 2^24, so that a pair of them is an exact integer. */
function keyOf(left: number, right: number): number {
  return left * 0x1000000 + right;
}

function utf8Length(text: string): number {
  let length = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    // Two bytes from U+0080, three from U+0800; the two halves of a pair make four together.
    if (unit >= 0x80) length += unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff) ? 1 : 2;
  }
  return length;
}
