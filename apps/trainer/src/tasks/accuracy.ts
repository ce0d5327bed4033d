import { ShapeError } from '@xlstm/device';
import { IGNORE } from '../data/batch-source.ts';

/** Counts right answers over batches. */
export class TaskAccuracy {
  #sequences = 0;
  #rightSequences = 0;
  #answers = 0;
  #rightAnswers = 0;

  /**
   * Rows without any target do not count.
   *
   * @param predicted the id with the largest logit at each place, `[rows, length]`
   * @param targets `[rows, length]`, IGNORE where no answer is due
   * @throws ShapeError when the two do not fit each other or the length
   */
  add(predicted: ArrayLike<number>, targets: Int32Array, length: number): void {
    if (predicted.length !== targets.length || length < 1 || targets.length % length !== 0) {
      throw new ShapeError(
        `TaskAccuracy.add: predicted and targets must be [rows, ${length}], got ${predicted.length} and ${targets.length} ids`,
      );
    }
    for (let start = 0; start < targets.length; start += length) {
      let due = 0;
      let right = 0;
      for (let i = start; i < start + length; i++) {
        if (targets[i] === IGNORE) continue;
        due++;
        if (predicted[i] === targets[i]) right++;
      }
      if (due === 0) continue;
      this.#sequences++;
      this.#answers += due;
      this.#rightAnswers += right;
      if (right === due) this.#rightSequences++;
    }
  }

  /** How many sequences have been counted. */
  get count(): number {
    return this.#sequences;
  }

  /** Share of sequences with all answers right; NaN before the first. */
  get sequences(): number {
    return this.#rightSequences / this.#sequences;
  }

  /** Share of right answers, which is what is reported for recall; NaN before the first. */
  get answers(): number {
    return this.#rightAnswers / this.#answers;
  }
}
