import type { XLSTMLarge } from '../model.ts';
import { type BatchEvent, type BatchRequest, checkRequests, type GenerateBatchOptions } from './batch-requests.ts';
import { BatchRun } from './batch-run.ts';

/**
 * Generates several independent sequences together: each step reads the weights once for all of them. Prompts may differ
 * in length, and every sequence has its own sampling, state, end and signal. Alone, `generateTokens` draws the same tokens:
 * always on the CPU device; on a GPU but for the rounding of sums, which differs with the size of the batch and decides where
 * two tokens are all but equally good. Prompts are read one by one into free places, at most `maxBatch` at a time; a sequence
 * that ends makes room for the next one, and when none waits the batch becomes smaller.
 *
 * Tokens come step by step, in the order of the places; an `end` follows the last token of each sequence. A request whose
 * own signal aborts ends as `cancelled`, the others go on. A `break`, the abort of `options.signal` or an error ends all,
 * releases everything and leaves each given state at the last token of it that was yielded. For that a GPU waits with the
 * next step until the last token of this one is asked for, where any sequence in the batch has a caller's state.
 *
 * @param requests one at least
 * @throws OptionError, StateError, DisposedError for a bad request, which it names by its index, before anything is
 *   computed; OutOfMemoryError, before a prompt is read, where the device cannot bind the states of as many sequences as run
 *   at a time; `options.signal.reason` on abort; DeviceLostError when the device goes away
 * @example
 * ```ts
 * const requests = [{ promptIds: [0, 2353], temperature: 0 }, { promptIds: [0, 341, 564], seed: 7, maxNewTokens: 9 }]
 * for await (const event of generateBatch(model, requests)) {
 *   if (event.type === 'token') console.log(event.index, event.id)
 *   else console.log(event.index, event.outcome.finishReason)
 * }
 * ```
 */
export async function* generateBatch(
  model: XLSTMLarge,
  requests: readonly BatchRequest[],
  options: GenerateBatchOptions = {},
): AsyncGenerator<BatchEvent, void> {
  const checked = checkRequests(model, requests, options);
  options.signal?.throwIfAborted();
  const run = new BatchRun(model, checked, options);
  let failed = false;
  try {
    await run.begin();
    while (!run.over) {
      while (run.hasRoom) {
        const end = await run.admit();
        if (end) yield end;
      }
      yield* run.step();
    }
  } catch (error) {
    failed = true;
    throw error;
  } finally {
    await run.close(failed);
  }
}
