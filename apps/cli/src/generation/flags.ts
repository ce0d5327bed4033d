import { DEVICE_CHOICES, type DeviceChoice } from '@xlstm/device';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type GenerateOptions, WEIGHT_DTYPES, type WeightDtype } from 'xlstm';
import { builtInModel } from '../installed.ts';
import { type NumberRange, numberArgument, RANGES } from './number-argument.ts';

/** How a model is loaded, and where. */
export interface LoadFlags {
  device: DeviceChoice;
  dtype?: WeightDtype;
  revision?: string;
}

/** Which model is loaded, and where. */
export interface ModelFlags extends LoadFlags {
  model: string;
}

/** How tokens are drawn, and where a text ends. */
export interface SamplingFlags {
  maxNewTokens?: number;
  temperature?: number;
  topK?: number;
  topP?: number;
  minP?: number;
  repetitionPenalty?: number;
  seed?: number;
  stop?: string[];
}

/** Files that a state comes from and goes to. */
export interface StateFlags {
  stateIn?: string;
  stateOut?: string;
}

/** The options of `start` and `generate`, as commander gives them. */
export interface GenerationFlags extends ModelFlags, SamplingFlags, StateFlags {
  prompt?: string;
  promptFile?: string;
  logprobs?: number;
  promptsFile?: string;
  batchSize?: number;
  json?: boolean;
  stats?: boolean;
  quiet?: boolean;
}

/** Values that stand in for sampling options left out. */
export interface GenerationDefaults {
  maxNewTokens: number;
  temperature: number;
  topP: number;
}

function collectStop(text: string, before: string[] = []): string[] {
  if (text === '') throw new InvalidArgumentError('It must not be empty.');
  return [...before, text];
}

/** Adds an option that takes a number. */
export function addNumber(command: Command, flags: string, text: string, range: NumberRange, standard?: number): void {
  const option = new Option(flags, text).argParser(numberArgument(range));
  command.addOption(standard === undefined ? option : option.default(standard));
}

/** What a model may be, in words. */
export const MODEL_SAYS = 'a checkpoint: a folder, a hub id (ORG/NAME, fetched once and kept), or an address';

/** How help names the built-in model. */
export const BUILT_IN_SAYS = 'the built-in stories model';

/** Adds the options that say which model is loaded, and where. */
export function addModelOptions(command: Command): void {
  addLoadOptions(command.addOption(new Option('--model <model>', MODEL_SAYS).default(builtInModel, BUILT_IN_SAYS)));
}

/** Adds the options that say how a model is loaded, and where. */
export function addLoadOptions(command: Command): void {
  command
    .addOption(new Option('--device <name>', 'where to compute').choices(DEVICE_CHOICES).default('auto'))
    .addOption(new Option('--dtype <name>', 'dtype of the weights (default: the checkpoint’s)').choices(WEIGHT_DTYPES))
    .addOption(new Option('--revision <name>', 'branch, tag or commit of a hub model (default: main)'));
}

/** Adds the options that say how tokens are drawn, and where a text ends. */
export function addSamplingOptions(command: Command, defaults: GenerationDefaults): void {
  const number = addNumber.bind(undefined, command);
  number('--max-new-tokens <n>', 'at most this many new tokens', RANGES.count, defaults.maxNewTokens);
  number(
    '--temperature <t>',
    'divides the logits; 0 takes the most probable token',
    RANGES.temperature,
    defaults.temperature,
  );
  number('--top-k <k>', 'keep the k most probable tokens; 0 keeps all', RANGES.count);
  number('--top-p <p>', 'keep the most probable tokens that hold this probability', RANGES.topP, defaults.topP);
  number('--min-p <p>', 'keep tokens at least this probable relative to the best', RANGES.minP);
  number('--repetition-penalty <r>', 'make tokens seen before less probable; 1 is off', RANGES.positive);
  number('--seed <n>', 'draw the same tokens again (default: a new one each time)', RANGES.count);
  command.addOption(
    new Option('--stop <text>', 'end before this text; may be given several times').argParser(collectStop),
  );
}

/** Adds the options that say where a state comes from and goes to. */
export function addStateOptions(command: Command): void {
  command
    .option('--state-in <file>', 'go on from a saved state')
    .option('--state-out <file>', 'save the state at the end');
}

/** Adds to a command everything that can be said about one generation. */
export function addGenerationOptions(command: Command, defaults: GenerationDefaults): Command {
  command
    .option('--prompt <text>', 'text to go on from; "" begins with the BOS token alone')
    .option('--prompt-file <file>', 'read the prompt from a UTF-8 file, less one line break at its end; - is stdin');
  addModelOptions(command);
  addSamplingOptions(command, defaults);
  return command
    .option('--json', 'print one JSON object instead of a stream of text')
    .option('--stats', 'print timings, speed and memory on stderr')
    .option('--quiet', 'print nothing but the text')
    .option('--debug', 'print where an error came from');
}

/** The sampling part of the flags, as the model takes it. */
export function samplingOptions(flags: SamplingFlags): GenerateOptions {
  const { maxNewTokens, temperature, topK, topP, minP, repetitionPenalty, stop } = flags;
  const given = { maxNewTokens, temperature, topK, topP, minP, repetitionPenalty, stop };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}
