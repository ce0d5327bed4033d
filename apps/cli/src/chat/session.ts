import { OptionError } from '@xlstm/device';
import type { FinishReason, XlstmState } from '@xlstm/xlstm-large';
import type { GenerateOptions, XlstmModel } from 'xlstm';
import type { TurnFormat } from './turn-format.ts';

/** One answer, as it went. Milliseconds. */
export interface Answer {
  finishReason: FinishReason;
  readTokens: number;
  newTokens: number;
  /** From the turn's end to the first new token; does not grow with the conversation. */
  firstTokenMs: number;
  totalMs: number;
}

/** Who listens to an answer. */
export interface AnswerListener {
  /** Stops the answer; what was said so far stays. */
  signal: AbortSignal;
  onText(text: string): Promise<void>;
  onPrefill?: (done: number, total: number) => void;
}

/** Everything that a turn changes, as it was before. */
interface Before {
  state: XlstmState;
  unread: readonly number[];
  text: string;
}

/** How a session generates. */
export interface SessionOptions extends Omit<GenerateOptions, 'state' | 'signal' | 'seed' | 'eosTokenIds'> {
  seed: number;
  /** So many turns can be undone; each costs a copy of the state, whose size is constant. */
  undoTurns: number;
}

/** A conversation: a state that goes on from turn to turn, and copies of it to go back to. */
export class ChatSession {
  readonly model: XlstmModel;
  readonly format: TurnFormat;
  readonly seed: number;
  turns = 0;
  lastAnswer: Answer | undefined;
  #state: XlstmState;
  /** What closes the last answer and is read with the next turn. */
  #unread: readonly number[] = [];
  #before: Before[] = [];
  #answers = 0;
  readonly #undoTurns: number;
  readonly #generation: GenerateOptions;

  constructor(model: XlstmModel, format: TurnFormat, options: SessionOptions) {
    const { seed, undoTurns, ...generation } = options;
    this.model = model;
    this.format = format;
    this.seed = seed;
    this.#undoTurns = undoTurns;
    this.#generation = { ...generation, eosTokenIds: [...new Set([...model.config.eosTokenIds, ...format.endIds])] };
    this.#state = model.createState();
  }

  /** Tokens read so far. */
  get position(): number {
    return this.#state.position;
  }

  get stateBytes(): number {
    return this.#state.byteLength;
  }

  /** Turns that can be undone now. */
  get undoable(): number {
    return this.#before.length;
  }

  /**
   * Reads a turn and answers it. Whoever stops it before the first token finds everything as it was before.
   *
   * @throws `signal.reason` in that case; OptionError, TokenizerError when nothing was changed.
   */
  async answer(text: string, listener: AnswerListener): Promise<Answer> {
    const turn = await this.format.turnIds(text, this.#state.position === 0);
    listener.signal.throwIfAborted();
    const before: Before = { state: this.#state.clone(), unread: this.#unread, text };
    try {
      this.lastAnswer = await this.#generate([...this.#unread, ...turn], before, listener);
    } catch (error) {
      this.#replace(before.state, before.unread);
      throw error;
    }
    this.turns++;
    this.#before.push(before);
    while (this.#before.length > this.#undoTurns) this.#before.shift()?.state.dispose();
    return this.lastAnswer;
  }

  async #generate(promptIds: readonly number[], before: Before, listener: AnswerListener): Promise<Answer> {
    const { signal, onText, onPrefill } = listener;
    const { tokenizer } = this.model;
    const ids: number[] = [];
    let shown = '';
    let finishReason: FinishReason = 'cancelled';
    let firstAt: number | undefined;
    const begun = performance.now();
    const seed = (this.seed + this.#answers++) % Number.MAX_SAFE_INTEGER;
    try {
      const stream = this.model.generate(promptIds, {
        ...this.#generation,
        seed,
        signal,
        state: this.#state,
        onPrefill,
      });
      for await (const chunk of stream) {
        if (chunk.tokenIds.length > 0) firstAt ??= performance.now();
        ids.push(...chunk.tokenIds);
        shown += chunk.text;
        finishReason = chunk.finishReason ?? finishReason;
        await onText(chunk.text);
      }
    } catch (error) {
      if (!signal.aborted || ids.length === 0) throw error;
      // Text that was held back, since it might have begun a stop text, has been read: it belongs to the answer.
      const whole = tokenizer.decode(ids, { skipSpecialTokens: true });
      if (whole.startsWith(shown)) await onText(whole.slice(shown.length)).catch(() => {});
    }
    const end = finishReason === 'stop' ? ids.at(-1) : undefined;
    const endId = end !== undefined && this.#generation.eosTokenIds?.includes(end) ? end : undefined;
    // A stop text has been read with the rest, and perhaps more: the state is made anew, without it.
    if (finishReason === 'stop' && endId === undefined) await this.#readAgain(before, promptIds, ids, shown);
    this.#unread = this.format.closingIds(endId);
    const now = performance.now();
    return {
      finishReason,
      readTokens: promptIds.length,
      newTokens: ids.length,
      firstTokenMs: (firstAt ?? now) - begun,
      totalMs: now - begun,
    };
  }

  /** Puts the state where the prompt and exactly `shown` have been read. */
  async #readAgain(before: Before, promptIds: readonly number[], ids: readonly number[], shown: string): Promise<void> {
    const { tokenizer } = this.model;
    const textOf = (count: number) => tokenizer.decode(ids.slice(0, count), { skipSpecialTokens: true });
    let kept = ids.length;
    while (kept > 0 && !shown.startsWith(textOf(kept))) kept--;
    const rest = tokenizer.encode(shown.slice(textOf(kept).length), { addBos: false });
    const state = before.state.clone();
    try {
      await this.#read(state, [...promptIds, ...ids.slice(0, kept), ...rest]);
    } catch (error) {
      state.dispose();
      throw error;
    }
    this.#replace(state, this.#unread);
  }

  async #read(state: XlstmState, ids: readonly number[]): Promise<void> {
    if (ids.length > 0) await this.model.generate(ids, { state, maxNewTokens: 0 }).result();
  }

  #replace(state: XlstmState, unread: readonly number[]): void {
    this.#state.dispose();
    this.#state = state;
    this.#unread = unread;
  }

  /** Goes back to before the last turn, and says what had been typed in it. @throws OptionError where there is none. */
  undo(): string {
    const before = this.#before.pop();
    if (!before) throw new OptionError('/undo: there is no turn to go back to');
    this.#replace(before.state, before.unread);
    this.turns--;
    return before.text;
  }

  /** Answers the last turn once more, with other random numbers. The old answer stays when this one fails. */
  async retry(listener: AnswerListener): Promise<Answer> {
    const before = this.#before.at(-1);
    if (!before) throw new OptionError('/retry: there is no turn to answer again');
    const after = { state: this.#state, unread: this.#unread };
    this.#state = before.state.clone();
    this.#unread = before.unread;
    try {
      this.lastAnswer = await this.#generate(
        [...before.unread, ...(await this.format.turnIds(before.text, before.state.position === 0))],
        before,
        listener,
      );
    } catch (error) {
      this.#replace(after.state, after.unread);
      throw error;
    }
    after.state.dispose();
    return this.lastAnswer;
  }

  /** Begins a new conversation. */
  reset(): void {
    this.#begin(this.model.createState());
  }

  /** Goes on from a saved state, which is the session's from now on. */
  load(state: XlstmState): void {
    this.#begin(state);
  }

  #begin(state: XlstmState): void {
    this.#replace(state, []);
    for (const before of this.#before) before.state.dispose();
    this.#before = [];
    this.turns = 0;
    this.lastAnswer = undefined;
  }

  /** The state as bytes, with the last answer closed: whoever loads it begins with a new turn. */
  async export(): Promise<Uint8Array> {
    const copy = this.#state.clone();
    try {
      await this.#read(copy, this.#unread);
      return await copy.export();
    } finally {
      copy.dispose();
    }
  }

  dispose(): void {
    this.#state.dispose();
    for (const before of this.#before) before.state.dispose();
    this.#before = [];
  }
}
