/** Cuts added tokens out of texts: the leftmost, of those the longest. */
export class AddedTokenSplitter {
  readonly #ids: ReadonlyMap<string, number>;
  readonly #pattern: RegExp | undefined;

  constructor(tokens: readonly { readonly content: string; readonly id: number }[]) {
    this.#ids = new Map(tokens.map(({ content, id }) => [content, id]));
    this.#pattern = patternOfTexts([...this.#ids.keys()]);
  }

  /** Text between the tokens, and the ids of the tokens. */
  split(text: string): (string | number)[] {
    if (this.#pattern === undefined) return [text];
    const sections: (string | number)[] = [];
    let end = 0;
    for (const { 0: token, index } of text.matchAll(this.#pattern)) {
      if (index > end) sections.push(text.slice(end, index));
      sections.push(this.#ids.get(token)!);
      end = index + token.length;
    }
    if (end < text.length) sections.push(text.slice(end));
    return sections;
  }
}

/** Finds any of the texts, the longest first; `undefined` when there are none. */
export function patternOfTexts(texts: readonly string[]): RegExp | undefined {
  if (texts.length === 0) return undefined;
  const longestFirst = [...texts].sort((a, b) => b.length - a.length);
  return new RegExp(longestFirst.map((text) => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('|'), 'g');
}
