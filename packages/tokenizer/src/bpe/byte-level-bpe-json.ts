/** An entry of `added_tokens`: text with an id of its own, cut out before BPE. */
export interface SpecialTokenJson {
  readonly id: number;
  readonly content: string;
  readonly single_word: false;
  readonly lstrip: false;
  readonly rstrip: false;
  readonly normalized: false;
  readonly special: true;
}

interface ByteLevelJson {
  readonly type: 'ByteLevel';
  readonly add_prefix_space: boolean;
  readonly trim_offsets: true;
  readonly use_regex: true;
}

/** A `tokenizer.json` of the GPT-NeoX kind: NFC, GPT-2's pattern, byte-level BPE. */
export interface ByteLevelBpeJson {
  readonly version: '1.0';
  readonly truncation: null;
  readonly padding: null;
  readonly added_tokens: readonly SpecialTokenJson[];
  readonly normalizer: { readonly type: 'NFC' };
  readonly pre_tokenizer: ByteLevelJson;
  readonly post_processor: ByteLevelJson;
  readonly decoder: ByteLevelJson;
  readonly model: {
    readonly type: 'BPE';
    readonly dropout: null;
    readonly unk_token: null;
    readonly continuing_subword_prefix: null;
    readonly end_of_word_suffix: null;
    readonly fuse_unk: false;
    readonly byte_fallback: false;
    readonly ignore_merges: false;
    /** Token to id: special tokens, the 256 bytes, then what merges made, in their order. */
    readonly vocab: Readonly<Record<string, number>>;
    /** Pairs of tokens in the order in which they are merged. */
    readonly merges: readonly (readonly [string, string])[];
  };
}

/** The file's content for tokens (an id is a place) and merges. */
export function byteLevelBpeJson(
  specialTokens: readonly string[],
  tokens: readonly string[],
  merges: readonly (readonly [string, string])[],
): ByteLevelBpeJson {
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: specialTokens.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: { type: 'NFC' },
    pre_tokenizer: byteLevel(false),
    // Neither of these adds a space; the published GPT-NeoX files say `true` here, and so do ours.
    post_processor: byteLevel(true),
    decoder: byteLevel(true),
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      // Not by assignment: a token may be called `__proto__`.
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  };
}

function byteLevel(addPrefixSpace: boolean): ByteLevelJson {
  return { type: 'ByteLevel', add_prefix_space: addPrefixSpace, trim_offsets: true, use_regex: true };
}
