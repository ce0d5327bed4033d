import { OptionError } from '@xlstm/device';
import type { GenerateTokensOptions } from '@xlstm/xlstm-large';

/** Options of `model.generate`: those of token generation, and stop strings. */
export interface GenerateOptions extends Omit<GenerateTokensOptions, 'promptIds' | 'onEnd'> {
  /** Texts that end the generation; they are not part of the result. */
  stop?: string | readonly string[];
}

/** The stop strings as a list. @throws OptionError when one of them is no text. */
export function stopsOf(stop: GenerateOptions['stop'], operation = 'generate'): readonly string[] {
  const stops = stop === undefined ? [] : Array.isArray(stop) ? (stop as readonly string[]) : [stop as string];
  for (const text of stops) {
    if (typeof text !== 'string' || text === '') {
      throw new OptionError(
        `${operation}: stop must be a non-empty text or a list of them, got ${JSON.stringify(text)}`,
      );
    }
  }
  return stops;
}

const OPTION_NAMES = [
  'stop',
  'maxNewTokens',
  'temperature',
  'topK',
  'topP',
  'minP',
  'repetitionPenalty',
  'seed',
  'eosTokenIds',
  'logprobs',
  'state',
  'signal',
  'onPrefill',
] as const satisfies readonly (keyof GenerateOptions)[];

/** @throws OptionError for an option that `generate` does not take, and for a signal or callback that is none. */
export function checkGenerateOptions(options: object, operation = 'generate', more: readonly string[] = []): void {
  if (typeof options !== 'object' || options === null) {
    throw new OptionError(`${operation}: options must be an object, got ${String(options)}`);
  }
  for (const name of Object.keys(options)) {
    if (!(OPTION_NAMES as readonly string[]).includes(name) && !more.includes(name)) {
      const takes = [...more, ...OPTION_NAMES].join(', ');
      throw new OptionError(`${operation}: no option is called "${name}"; it takes ${takes}`);
    }
  }
  // Those two do not travel to a worker, so nobody else would see what they are.
  const { signal, onPrefill } = options as GenerateOptions;
  if (signal !== undefined && typeof signal?.throwIfAborted !== 'function') {
    throw new OptionError(`${operation}: signal must be an AbortSignal, got ${String(signal)}`);
  }
  if (onPrefill !== undefined && typeof onPrefill !== 'function') {
    throw new OptionError(`${operation}: onPrefill must be a function, got ${String(onPrefill)}`);
  }
}
