import { OptionError } from '@xlstm/device';
import { checkGenerateOptions, type GenerateOptions, stopsOf } from './generate-options.ts';
import type { GenerateChunk, GenerateResult } from './generated-text.ts';

/** One prompt of a batch with options of its own, which go before those of the batch. Its `signal` ends it alone. */
export interface BatchPrompt<Options = GenerateOptions> {
  prompt: string | ArrayLike<number>;
  options?: Options | undefined;
}

/** What a batch may be made of: texts, token ids as they are, or either with options of its own. */
export type BatchPrompts<Options = GenerateOptions> = readonly (string | ArrayLike<number> | BatchPrompt<Options>)[];

/** Options of `model.generateBatch`: those of `generate` for every prompt, and of the batch itself. */
export interface BatchOptions extends Omit<GenerateOptions, 'state' | 'onPrefill'> {
  /** At most this many sequences at a time, 8 by default; further prompts wait for a free place. */
  maxBatch?: number | undefined;
}

/** One step of one sequence of a batch. */
export interface BatchChunk extends GenerateChunk {
  /** Which prompt of the list it belongs to. */
  index: number;
}

/** What `generateBatch` gives, here or in a worker: iterate it once for chunks as they come, or await the whole. */
export interface GeneratedBatch extends AsyncIterable<BatchChunk> {
  [Symbol.asyncIterator](): AsyncGenerator<BatchChunk, void>;
  /** One result a prompt, in order; runs the batch to its end unless someone iterates it already. */
  result(): Promise<GenerateResult[]>;
}

/** A prompt with all that goes for it. */
export interface ResolvedPrompt<Options> {
  prompt: string | number[];
  options: Options;
}

/**
 * The prompts of a batch, each with its own options and those it shares. A shared seed is the first one's; the others
 * count on from it.
 *
 * @throws OptionError for an empty list, what is no prompt, and options that do not exist or belong elsewhere.
 */
export function resolvePrompts<Options extends object>(
  prompts: BatchPrompts<Options>,
  options: BatchOptions,
): ResolvedPrompt<Options>[] {
  if (!Array.isArray(prompts)) {
    throw new OptionError(`generateBatch: prompts must be a list of texts, ids or requests, got ${String(prompts)}`);
  }
  if (prompts.length === 0) {
    throw new OptionError(
      'generateBatch: there is nothing to generate, the list of prompts is empty; pass one at least',
    );
  }
  checkGenerateOptions(options, 'generateBatch', ['maxBatch']);
  for (const name of ['state', 'onPrefill']) {
    if ((options as Record<string, unknown>)[name] !== undefined) {
      throw new OptionError(
        `generateBatch: ${name} belongs to one prompt; pass { prompt, options: { ${name} } } in the list`,
      );
    }
  }
  const { maxBatch: _, signal: __, seed, ...shared } = options;
  const seedOf = (index: number): unknown =>
    typeof seed === 'number' ? seed + index : typeof seed === 'bigint' ? seed + BigInt(index) : seed;
  return (prompts as BatchPrompts<Options>).map((given, index) => {
    const operation = `generateBatch: prompts[${index}]`;
    const request = (
      typeof given === 'object' && given !== null && 'prompt' in given ? given : { prompt: given }
    ) as BatchPrompt<Options>;
    for (const name of Object.keys(request)) {
      if (name === 'prompt' || name === 'options') continue;
      throw new OptionError(`${operation}: has prompt and options, got "${name}"; put it into options`);
    }
    const own = request.options ?? {};
    checkGenerateOptions(own, operation);
    // What is undefined was not said, and leaves what goes for all.
    const said = Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined));
    const merged = { ...shared, ...(seed === undefined ? {} : { seed: seedOf(index) }), ...said } as Options &
      GenerateOptions;
    stopsOf(merged.stop, operation);
    const { prompt } = request;
    if (typeof prompt !== 'string' && typeof prompt?.length !== 'number') {
      throw new OptionError(`${operation}: must be text or a list of token ids, got ${String(prompt)}`);
    }
    return { prompt: typeof prompt === 'string' ? prompt : Array.from(prompt), options: merged };
  });
}
