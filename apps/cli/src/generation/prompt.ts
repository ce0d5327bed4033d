import { readFile } from 'node:fs/promises';
import { addAbortSignal } from 'node:stream';
import { InputOutputError, UsageError } from '../failures.ts';
import type { Context } from '../terminal.ts';
import type { StateFlags } from './flags.ts';

/** The places that a prompt may be given in. */
export interface PromptFlags {
  prompt?: string;
  promptFile?: string;
}

/**
 * The prompt, where the command line names one.
 *
 * @throws UsageError when it is given in two places, InputOutputError when a file cannot be read.
 */
export async function givenPrompt(
  flags: PromptFlags,
  words: readonly string[],
  context: Context,
): Promise<string | undefined> {
  const places = [
    ...(words.length > 0 ? ['as words'] : []),
    ...(flags.prompt !== undefined ? ['with --prompt'] : []),
    ...(flags.promptFile !== undefined ? ['with --prompt-file'] : []),
  ];
  if (places.length > 1) throw new UsageError(`the prompt is given ${places.join(' and ')}; give it once`);
  if (words.length > 0) return words.join(' ');
  if (flags.promptFile === undefined) return flags.prompt;
  if (flags.promptFile === '-') return decode(await readStdin(context), 'stdin');
  return decode(await readPromptFile(flags.promptFile, context.signal), flags.promptFile);
}

/**
 * The prompt from the command line or, where that has none, from a pipe. Whoever goes on from a state needs none.
 *
 * @throws UsageError when there is none anywhere.
 */
export async function requiredPrompt(flags: PromptFlags & StateFlags, context: Context): Promise<string> {
  const given = await givenPrompt(flags, [], context);
  if (given !== undefined) return given;
  if (flags.stateIn !== undefined) return context.terminal.stdin.isTTY ? '' : decode(await readStdin(context), 'stdin');
  const ways = 'use --prompt TEXT, --prompt-file FILE or a pipe (--prompt "" begins with the BOS token alone)';
  if (context.terminal.stdin.isTTY) throw new UsageError(`no prompt was given; ${ways}`);
  const bytes = await readStdin(context);
  if (bytes.length === 0) throw new UsageError(`no prompt was given and stdin is empty; ${ways}`);
  return decode(bytes, 'stdin');
}

/** A file of prompts as it is. @throws InputOutputError that names the flag where it cannot be read */
export async function readPromptFile(path: string, signal: AbortSignal, flag = '--prompt-file'): Promise<Uint8Array> {
  try {
    return await readFile(path, { signal });
  } catch (cause) {
    throw new InputOutputError(
      `${flag}: cannot read ${path}: ${(cause as Error).message}; check the path and its permissions`,
      { cause },
    );
  }
}

/** All of a pipe. @throws InputOutputError when it breaks. */
export async function readStdin(context: Context, what = 'the prompt'): Promise<Uint8Array> {
  const { stdin } = context.terminal;
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of addAbortSignal(context.signal, stdin)) {
      chunks.push(typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Uint8Array));
    }
  } catch (cause) {
    throw new InputOutputError(`stdin: cannot read ${what}: ${(cause as Error).message}`, { cause });
  }
  return Buffer.concat(chunks);
}

/** Text of a prompt. Editors and `echo` end a file with a line break that nobody means as part of it. */
export function decode(bytes: Uint8Array, place: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes).replace(/\r?\n$/, '');
  } catch (cause) {
    throw new InputOutputError(`prompt: ${place} must be UTF-8 text, got other bytes; convert it first`, { cause });
  }
}
