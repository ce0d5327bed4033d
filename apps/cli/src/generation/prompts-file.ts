import type { GenerateOptions } from 'xlstm';
import { InputOutputError, UsageError } from '../failures.ts';
import type { Context } from '../terminal.ts';
import { type NumberRange, RANGES } from './number-argument.ts';
import { decode, readPromptFile, readStdin } from './prompt.ts';

/** One prompt of a file, with what its line says of it alone. */
export interface FilePrompt {
  prompt: string;
  options: GenerateOptions;
}

/** What a line of JSON may say besides its prompt, and in which range. */
const NUMBERS = {
  maxNewTokens: RANGES.count,
  temperature: RANGES.temperature,
  topK: RANGES.count,
  topP: RANGES.topP,
  minP: RANGES.minP,
  repetitionPenalty: RANGES.positive,
  seed: RANGES.count,
} as const satisfies { [Name in keyof GenerateOptions]: NumberRange };

const FIELDS = ['prompt', ...Object.keys(NUMBERS), 'stop'];

/**
 * The prompts of a file or a pipe (`-`), one a line; empty lines are skipped. A file whose name ends in `.jsonl` has a JSON
 * object on each line: `{"prompt": "The fox said", "maxNewTokens": 9, "temperature": 0, "stop": ["\n"]}`.
 *
 * @throws UsageError when there is none, InputOutputError when the file cannot be read or one of its lines, which it names
 */
export async function readPrompts(path: string, context: Context): Promise<FilePrompt[]> {
  const piped = path === '-';
  const bytes = piped
    ? await readStdin(context, 'the prompts')
    : await readPromptFile(path, context.signal, '--prompts-file');
  const place = piped ? 'stdin' : path;
  const json = !piped && path.endsWith('.jsonl');
  const prompts = decode(bytes, place)
    .split(/\r?\n/)
    .flatMap((line, at) => {
      if (line === '' || (json && line.trim() === '')) return [];
      return [json ? parseLine(line, `--prompts-file: ${place}:${at + 1}`) : { prompt: line, options: {} }];
    });
  if (prompts.length === 0) throw new UsageError(`--prompts-file: ${place} has no prompts; write one on each line`);
  return prompts;
}

function parseLine(line: string, operation: string): FilePrompt {
  const refuse = (says: string): never => {
    throw new InputOutputError(`${operation}: ${says}`);
  };
  const got = (value: unknown): string => `got ${JSON.stringify(value)?.slice(0, 80)}`;
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    refuse(`must be a JSON object on one line: ${(cause as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refuse(`must be a JSON object with a "prompt", ${got(value)}`);
  }
  const { prompt, ...options } = value as Record<string, unknown>;
  if (typeof prompt !== 'string') return refuse(`"prompt" must be a text, ${got(prompt)}`);
  for (const [name, given] of Object.entries(options)) {
    if (name === 'stop') {
      const stops = Array.isArray(given) ? given : [given];
      if (stops.some((stop) => typeof stop !== 'string' || stop === '')) {
        refuse(`"stop" must be a text or a list of texts, none empty, ${got(given)}`);
      }
    } else if (Object.hasOwn(NUMBERS, name)) {
      const range: NumberRange = NUMBERS[name as keyof typeof NUMBERS];
      if (typeof given !== 'number' || !range.accepts(given)) refuse(`"${name}" must be ${range.says}, ${got(given)}`);
    } else refuse(`there is no field "${name}"; a line has ${FIELDS.join(', ')}`);
  }
  return { prompt, options: options as GenerateOptions };
}
