import { randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { DeviceError, OptionError, XlstmError } from '@xlstm/device';
import { PLAIN_CHAT_STOP, PLAIN_CHAT_TEMPLATE } from '@xlstm/tokenizer';
import type { XlstmModel } from 'xlstm';
import { EXIT, InputOutputError, Interrupted, UsageError } from '../failures.ts';
import { type ModelFlags, type SamplingFlags, type StateFlags, samplingOptions } from '../generation/flags.ts';
import { loadModel } from '../generation/load-model.ts';
import { formatCount } from '../human-readable.ts';
import { modelLabel } from '../installed.ts';
import { Progress } from '../progress.ts';
import { checkStateTarget, readStateFile, restoreState, writeStateFile } from '../state-files.ts';
import type { Context } from '../terminal.ts';
import { LineInput } from './line-input.ts';
import { type Answer, type AnswerListener, ChatSession } from './session.ts';
import { answerLine, type ChatControls, runSlashCommand } from './slash-commands.ts';
import { continuationFormat, type TurnFormat, templateFormat } from './turn-format.ts';

/** The options of `chat`, as commander gives them. */
export interface ChatFlags extends ModelFlags, SamplingFlags, StateFlags {
  system?: string;
  chatTemplate?: string;
  undoTurns: number;
  stats?: boolean;
  quiet?: boolean;
}

/** The `--chat-template` that is built in. */
const PLAIN = 'plain';
/** Turns up to this length are read before a bar would be seen. */
const LONG_TURN = 256;
/** Seeds that are drawn stay short enough to be typed. */
const SEED_LIMIT = 2 ** 31;

/** Ends an answer, and nothing else. */
class Stopped extends Error {
  override name = 'Stopped';
}

/** Loads the model and talks until the input ends; saves the state where that was asked for; releases everything. */
export async function runChat(context: Context, flags: ChatFlags): Promise<void> {
  if (flags.system !== undefined && flags.stateIn !== undefined) {
    throw new UsageError('--system begins a conversation, and --state-in goes on with one; give one of them');
  }
  const saved = flags.stateIn === undefined ? undefined : await readStateFile(flags.stateIn);
  if (flags.stateOut !== undefined) await checkStateTarget(flags.stateOut);
  const template = await readTemplate(flags.chatTemplate);
  const progress = new Progress(context.terminal.stderr, !flags.quiet);
  let model: XlstmModel | undefined;
  let session: ChatSession | undefined;
  try {
    const device = !flags.quiet && context.terminal.stderr.isTTY === true;
    model = await loadModel(context, flags, progress, { device, notes: !flags.quiet });
    const format = await turnFormat(model, template, flags.system);
    if (format.kind === 'continuation' && !flags.quiet) {
      context.say(
        `note: ${modelLabel(flags.model)} has no chat template, so what you type is appended to the text as it is, and the model goes on from there`,
      );
    }
    session = new ChatSession(model, format, {
      ...samplingOptions(flags),
      stop: [...(flags.stop ?? []), ...(flags.chatTemplate === PLAIN ? [PLAIN_CHAT_STOP] : [])],
      seed: flags.seed ?? randomInt(SEED_LIMIT),
      undoTurns: flags.undoTurns,
    });
    if (saved) session.load(restoreState(model, saved));
    await new Conversation(context, flags, session, progress).run();
    if (flags.stateOut !== undefined) await writeStateFile(flags.stateOut, await session.export());
  } finally {
    progress.clear();
    session?.dispose();
    await model?.dispose();
  }
}

async function readTemplate(name: string | undefined): Promise<string | undefined> {
  if (name === undefined) return undefined;
  if (name === PLAIN) return PLAIN_CHAT_TEMPLATE;
  try {
    return await readFile(name, 'utf8');
  } catch (cause) {
    throw new InputOutputError(
      `--chat-template: cannot read ${name}: ${(cause as Error).message}; name a file with a Jinja template, or "${PLAIN}"`,
      { cause },
    );
  }
}

/** By template where there is one. @throws OptionError for instructions that nothing could lay out. */
async function turnFormat(
  model: XlstmModel,
  template: string | undefined,
  system: string | undefined,
): Promise<TurnFormat> {
  const { tokenizer } = model;
  if (template !== undefined || tokenizer.chatTemplates.size > 0) {
    return await templateFormat(tokenizer, { template, system });
  }
  if (system !== undefined) {
    throw new OptionError(
      `chat: --system needs a chat template, and the model has none; name one with --chat-template FILE, or "${PLAIN}"`,
    );
  }
  return continuationFormat(tokenizer);
}

/** The conversation itself: lines in, answers out. */
class Conversation {
  readonly #context: Context;
  readonly #flags: ChatFlags;
  readonly #session: ChatSession;
  readonly #progress: Progress;
  readonly #input: LineInput;
  #answering: AbortController | undefined;
  #askedToLeave = false;

  constructor(context: Context, flags: ChatFlags, session: ChatSession, progress: Progress) {
    this.#context = context;
    this.#flags = flags;
    this.#session = session;
    this.#progress = progress;
    this.#input = new LineInput(context.terminal, () => this.#interrupted());
  }

  async run(): Promise<void> {
    const { terminal, signal } = this.#context;
    const controls: ChatControls = {
      session: this.#session,
      model: this.#flags.model,
      say: (line) => this.#context.say(line),
      retry: () => this.#answer((listener) => this.#session.retry(listener)),
    };
    terminal.onInterrupt = () => this.#interrupted();
    try {
      if (this.#input.interactive && !this.#flags.quiet) this.#context.say('/help lists the commands; Ctrl-D ends');
      let goesOn = true;
      while (goesOn) {
        const line = await this.#input.next('> ');
        if (line === undefined) break;
        this.#askedToLeave = false;
        try {
          goesOn = await this.#take(line, controls);
        } catch (error) {
          signal.throwIfAborted();
          this.#report(error);
        }
        signal.throwIfAborted();
      }
      if (this.#input.interactive && goesOn) terminal.stderr.write('\n');
    } finally {
      terminal.onInterrupt = undefined;
      this.#input.close();
    }
  }

  /** Returns false where the line ends the chat. */
  async #take(line: string, controls: ChatControls): Promise<boolean> {
    if (line.startsWith('/') && !line.startsWith('//')) return await runSlashCommand(line, controls);
    const text = line.startsWith('//') ? line.slice(1) : line;
    // Nothing to say to a model that takes turns; any other goes on by itself.
    if (text.trim() === '' && this.#session.format.kind === 'template') return true;
    await this.#answer((listener) => this.#session.answer(text, listener));
    return true;
  }

  async #answer(work: (listener: AnswerListener) => Promise<Answer>): Promise<void> {
    const { output, signal } = this.#context;
    const stop = new AbortController();
    this.#answering = stop;
    const said = (note: string) => {
      if (!this.#flags.quiet) this.#context.say(note);
    };
    try {
      const answer = await work({
        signal: AbortSignal.any([signal, stop.signal]),
        onText: async (text) => {
          this.#progress.clear();
          await output.write(text);
        },
        onPrefill: (done, total) => {
          if (total > LONG_TURN) this.#progress.update(`reading ${formatCount(total)} tokens`, done / total);
        },
      });
      await output.endLine();
      if (answer.finishReason === 'cancelled') said('(stopped)');
      else if (answer.finishReason === 'length' && this.#session.format.kind === 'template') {
        said(`(cut off after ${answer.newTokens} tokens; --max-new-tokens allows more)`);
      }
      if (this.#flags.stats) this.#context.say(answerLine(answer));
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof Stopped)) throw error;
      said('(stopped before the first token; the turn is taken back)');
    } finally {
      this.#progress.clear();
      this.#answering = undefined;
    }
  }

  /** Says what is wrong with a turn or command; the conversation goes on as if it had not been. */
  #report(error: unknown): void {
    const ours = error instanceof XlstmError || error instanceof UsageError;
    if (!ours || error instanceof DeviceError) throw error;
    this.#context.output.breakOff();
    this.#context.say(`error: ${error.message}`);
    // People see it; a script has only the exit code.
    if (!this.#input.interactive) this.#context.exitCode = EXIT.error;
  }

  /** Ctrl-C: stops an answer; at the prompt, ends the chat when pressed twice. */
  #interrupted(): void {
    const { interrupt } = this.#context.terminal;
    if (this.#answering && !this.#answering.signal.aborted) this.#answering.abort(new Stopped());
    else if (this.#answering || !this.#input.interactive) interrupt.abort(new Interrupted('SIGINT'));
    else if (this.#askedToLeave) this.#input.close();
    else {
      this.#askedToLeave = true;
      this.#input.askAgain('(Ctrl-C again ends, as do Ctrl-D and /exit)');
    }
  }
}
