/** How `encode` begins. */
export interface EncodeOptions {
  /**
   * `true`: the ids begin with BOS (added unless they already begin with it); `false`: exactly the ids of the text.
   * Left out: as `Tokenizer.addsBos` says.
   */
  readonly addBos?: boolean | undefined;
}

/** What `decode` and `stream` leave out. */
export interface DecodeOptions {
  /** Leave out special tokens such as `<|endoftext|>` (default `false`: they are written as text). */
  readonly skipSpecialTokens?: boolean | undefined;
}

/** Turns ids that arrive one by one into text, never emitting half a character. */
export interface StreamDecoder {
  /**
   * The text that is certain after this id: `''` while a character is still incomplete.
   *
   * @throws TokenizerError when the id is out of range; the stream is then as it was before.
   */
  push(id: number): string;
  /** What is left at the end, U+FFFD for a character cut short. The decoder then starts anew. */
  flush(): string;
}

/** Text to token ids and back. Made by `loadTokenizer` or `byteTokenizer`. */
export interface Tokenizer {
  /** Where the ids come from: a `tokenizer.json`, or plain bytes without any file. */
  readonly kind: 'tokenizer.json' | 'bytes';
  /** Valid ids are `0 … vocabSize-1`. */
  readonly vocabSize: number;
  readonly bosId: number | undefined;
  /** Ids that end a text; empty when none is known. */
  readonly eosIds: readonly number[];
  readonly padId: number | undefined;
  /** Id to text of each special token, which `skipSpecialTokens` leaves out. */
  readonly specialTokens: ReadonlyMap<number, string>;
  /** Chat templates by name, `default` being the usual one; empty where the files have none. See `applyChatTemplate`. */
  readonly chatTemplates: ReadonlyMap<string, string>;
  /** Texts of special tokens by the names that `tokenizer_config.json` and templates use: `bos_token`, `eos_token`, … */
  readonly namedTokens: Readonly<Record<string, string>>;
  /** Whether `encode` puts BOS first when `addBos` is left out. */
  readonly addsBos: boolean;
  /**
   * Ids of `text`. With BOS, an empty text is BOS alone. EOS is never added.
   *
   * @throws TokenizerError when `text` is not a string, or BOS is asked for and there is none.
   * @example
   * tokenizer.encode('Once upon a time'); // [0, 2353, 674, 260, 521]
   */
  encode(text: string, options?: EncodeOptions): number[];
  /**
   * Text of `ids`, exactly as their bytes say: bytes that are not UTF-8 become U+FFFD, spaces are never tidied up.
   *
   * @throws TokenizerError when an id is not an integer in `0 … vocabSize-1`.
   */
  decode(ids: ArrayLike<number>, options?: DecodeOptions): string;
  /** A decoder for ids as they are generated; all that it emits, joined, equals `decode` of all ids. */
  stream(options?: DecodeOptions): StreamDecoder;
}
