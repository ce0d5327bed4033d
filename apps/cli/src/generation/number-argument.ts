import { InvalidArgumentError } from 'commander';

/** Which numbers an option takes. */
export interface NumberRange {
  /** The range in words, for the error and the help. */
  says: string;
  accepts(value: number): boolean;
}

/** The same ranges as generation itself checks; here so that nothing is loaded before they are. */
export const RANGES: Readonly<
  Record<'count' | 'atLeastOne' | 'temperature' | 'topP' | 'minP' | 'positive' | 'logprobs', NumberRange>
> = {
  count: { says: 'a whole number from 0 up', accepts: (value) => Number.isSafeInteger(value) && value >= 0 },
  atLeastOne: { says: 'a whole number from 1 up', accepts: (value) => Number.isSafeInteger(value) && value >= 1 },
  temperature: { says: 'a number from 0 (greedy) up', accepts: (value) => value >= 0 },
  topP: { says: 'a number above 0 and at most 1', accepts: (value) => value > 0 && value <= 1 },
  minP: { says: 'a number from 0 to 1', accepts: (value) => value >= 0 && value <= 1 },
  logprobs: {
    says: 'a whole number from 0 to 20',
    accepts: (value) => Number.isInteger(value) && value >= 0 && value <= 20,
  },
  positive: { says: 'a number above 0', accepts: (value) => value > 0 },
};

const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** A parser for commander that takes decimal numbers of one range and nothing else. */
export function numberArgument(range: NumberRange): (text: string) => number {
  return (text) => {
    const value = DECIMAL.test(text.trim()) ? Number(text) : Number.NaN;
    if (!Number.isFinite(value) || !range.accepts(value)) throw new InvalidArgumentError(`It must be ${range.says}.`);
    return value;
  };
}
