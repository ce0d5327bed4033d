import { join } from 'node:path';
import type { DataConfig, SourceConfig, TrainerConfig } from '../config/trainer-config.ts';
import type { Batch, BatchSource } from '../data/batch-source.ts';
import { carriedRows } from '../data/carried-rows.ts';
import { type Corpus, type CorpusProgress, openCorpus } from '../data/corpus.ts';
import { apportionRows, sideBySide, weightedMixture } from '../data/mixture.ts';
import { shuffledWindows } from '../data/shuffled-windows.ts';
import { validationWindows } from '../data/validation-windows.ts';
import type { RunTokenizer } from './prepare-tokenizer.ts';

/** Training batches of a run, and what it is evaluated on. */
export interface RunData {
  /** Rows are those of a micro batch, or of a whole step where they carry their states. */
  source: BatchSource;
  /** Differs where batches differ. */
  fingerprint: string;
  /** Tokens in the training text. */
  tokens: number;
  /** The same validation batches each time; absent without validation text. */
  validation: (() => AsyncIterable<Batch>) | undefined;
  close(): Promise<void>;
}

/** Who is told of long work, and who may end it. */
export interface PrepareDataOptions {
  onProgress: (progress: CorpusProgress) => void;
  signal: AbortSignal;
}

async function open(
  config: TrainerConfig,
  data: DataConfig,
  { path }: SourceConfig,
  run: RunTokenizer,
  options: PrepareDataOptions,
): Promise<Corpus> {
  return openCorpus({
    path,
    tokenizer: {
      tokenize: (text) => run.tokenizer.encode(text, { addBos: false }),
      vocabSize: run.tokenizer.vocabSize,
      documentId: run.beginId,
      fingerprint: run.fingerprint,
    },
    documentSeparator: data.documentSeparator,
    cacheDir: join(config.outDir, 'tokens'),
    onProgress: options.onProgress,
    signal: options.signal,
  });
}

/**
 * Opens a run's text: tokenised once into shards in the run's folder, then read by ranges.
 *
 * @throws DataError for text that cannot be read or is too short; ConfigError for options out of range.
 */
export async function prepareData(
  config: TrainerConfig,
  data: DataConfig,
  tokenizer: RunTokenizer,
  options: PrepareDataOptions,
): Promise<RunData> {
  const { globalBatchSize, microBatchSize } = config.train;
  const rows = data.packing === 'carried' ? globalBatchSize : microBatchSize;
  const length = data.sequenceLength;
  const { seed } = config;
  const corpora: Corpus[] = [];
  for (const source of data.train) corpora.push(await open(config, data, source, tokenizer, options));
  const of = (corpus: Corpus, count: number, shift: number): BatchSource => {
    const shape = { rows: count, length, seed: seed + shift };
    return data.packing === 'carried' ? carriedRows(corpus.stream, shape) : shuffledWindows(corpus.stream, shape);
  };
  const weights = data.train.map(({ weight }) => weight);
  const mixed = (): BatchSource =>
    data.packing === 'carried'
      ? sideBySide(apportionRows(rows, weights).map((count, at) => of(corpora[at]!, count, at)))
      : weightedMixture(
          corpora.map((corpus, at) => ({ source: of(corpus, 1, at), weight: weights[at]! })),
          { rows, seed },
        );
  const source = corpora.length === 1 ? of(corpora[0]!, rows, 0) : mixed();
  const validation: BatchSource[] = [];
  let batches = 0;
  for (const entry of data.validation) {
    const corpus = await open(config, data, entry, tokenizer, options);
    const windows = validationWindows(corpus.stream, { rows: microBatchSize, length, batches: config.eval.batches });
    validation.push(windows);
    batches += windows.batches;
  }
  async function* evaluation(): AsyncIterable<Batch> {
    for (const windows of validation as ReturnType<typeof validationWindows>[]) {
      for (let batch = 0; batch < windows.batches; batch++) yield await windows.next();
    }
  }
  return {
    source,
    fingerprint: corpora.map(({ stream }) => stream.fingerprint).join('+'),
    tokens: corpora.reduce((sum, { stream }) => sum + stream.tokens, 0),
    validation: batches > 0 ? evaluation : undefined,
    close: async () => {
      for (const each of [source, ...validation]) await each.close();
    },
  };
}
