import type { Tokenizer } from '@xlstm/tokenizer';
import type { XlstmLargeConfig } from '@xlstm/xlstm-large';

/** A checkpoint's tokenizer files, parsed; absent where it has none. */
export interface TokenizerFiles {
  tokenizerJson?: object | undefined;
  tokenizerConfig?: object | undefined;
}

/**
 * The tokenizer that goes with a model: its `tokenizer.json`, or bytes where there is none. The model's configuration
 * says which ids are special. What encodes text is imported here, so that bundlers keep it out of a page's first script.
 *
 * @throws TokenizerError for files that cannot be used, or a vocabulary too small for bytes
 */
export async function tokenizerOf(
  { tokenizerJson, tokenizerConfig }: TokenizerFiles,
  config: XlstmLargeConfig,
): Promise<Tokenizer> {
  const { byteTokenizer, loadTokenizer } = await import('@xlstm/tokenizer');
  const ids = {
    ...(config.bosTokenId === undefined ? {} : { bosTokenId: config.bosTokenId }),
    ...(config.padTokenId === undefined ? {} : { padTokenId: config.padTokenId }),
    ...(config.eosTokenIds.length === 0 ? {} : { eosTokenId: [...config.eosTokenIds] }),
    vocabSize: config.vocabSize,
  };
  if (!tokenizerJson) return byteTokenizer(ids);
  return loadTokenizer({ tokenizerJson, ...(tokenizerConfig ? { tokenizerConfig } : {}), ...ids });
}
