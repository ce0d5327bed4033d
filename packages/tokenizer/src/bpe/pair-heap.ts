/** Two neighbouring ids and how often they were neighbours when this was queued. */
export interface QueuedPair {
  readonly left: number;
  readonly right: number;
  readonly count: number;
}

/** Pairs in the order in which they are merged: the most frequent first, of equals the one with the lower ids. */
export class PairHeap {
  readonly #pairs: QueuedPair[] = [];

  push(pair: QueuedPair): void {
    const pairs = this.#pairs;
    let at = pairs.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(pair, pairs[parent]!)) break;
      pairs[at] = pairs[parent]!;
      at = parent;
    }
    pairs[at] = pair;
  }

  pop(): QueuedPair | undefined {
    const pairs = this.#pairs;
    const first = pairs[0];
    const last = pairs.pop();
    if (last === undefined || pairs.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= pairs.length) break;
      if (child + 1 < pairs.length && isBefore(pairs[child + 1]!, pairs[child]!)) child++;
      if (!isBefore(pairs[child]!, last)) break;
      pairs[at] = pairs[child]!;
      at = child;
    }
    pairs[at] = last;
    return first;
  }
}

function isBefore(a: QueuedPair, b: QueuedPair): boolean {
  if (a.count !== b.count) return a.count > b.count;
  return a.left !== b.left ? a.left < b.left : a.right < b.right;
}
