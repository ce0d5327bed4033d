import { OptionError } from '@xlstm/device';

/** The learning rate of a step, counted from 0. */
export type Schedule = (step: number) => number;

/** What all schedules take. */
export interface ScheduleOptions {
  /** The highest learning rate. */
  peak: number;
  /** Steps of the whole training. */
  steps: number;
  /** Steps in which the rate rises to its peak, evenly; default 0. */
  warmupSteps?: number | undefined;
  /** The rate at the end; default 0. */
  final?: number | undefined;
}

/** Options of the schedules that end in a decay of their own length. */
export interface CooldownOptions extends ScheduleOptions {
  /** Steps of the linear decay to `final` at the end; default a tenth of all. */
  cooldownSteps?: number | undefined;
}

/** The names that `createSchedule` knows. */
export const SCHEDULES = ['constant', 'cosine', 'linear', 'warmup-stable-decay', 'exponential'] as const;

/** One of `SCHEDULES`. */
export type ScheduleName = (typeof SCHEDULES)[number];

/** At the end of the exponential schedule, before its cool-down, the rate is this share of the peak. */
const EXPONENTIAL_END = 0.1;

/** Options with every default in place. */
type Phases = Record<'peak' | 'steps' | 'warmupSteps' | 'final' | 'cooldownSteps', number>;

function check({ peak, steps, warmupSteps = 0, final = 0, cooldownSteps }: CooldownOptions): Phases {
  const rate = (value: number) => Number.isFinite(value) && value >= 0;
  const count = (value: number) => Number.isSafeInteger(value) && value >= 0;
  if (!rate(peak) || !rate(final) || final > peak) {
    throw new OptionError(
      `schedule: peak and final must be finite, from 0, and final at most peak, got peak ${peak} and final ${final}`,
    );
  }
  const cooldown = cooldownSteps ?? Math.round(steps / 10);
  if (!count(steps) || !count(warmupSteps) || !count(cooldown) || warmupSteps + cooldown > steps) {
    throw new OptionError(
      `schedule: warmupSteps and cooldownSteps must be integers from 0 that fit into steps, got ${warmupSteps} and ${cooldown} of ${steps}`,
    );
  }
  return { peak, steps, warmupSteps, final, cooldownSteps: cooldown };
}

/** From peak to final over a share in 0…1 of the time after the warm-up. */
const SHAPES: Record<ScheduleName, (share: number, phases: Phases) => number> = {
  constant: (_, { peak }) => peak,
  linear: (share, { peak, final }) => peak + (final - peak) * share,
  cosine: (share, { peak, final }) => final + (peak - final) * 0.5 * (1 + Math.cos(Math.PI * share)),
  'warmup-stable-decay': (_, { peak }) => peak,
  exponential: (share, { peak }) => peak * EXPONENTIAL_END ** share,
};

/** Schedules that end in a linear cool-down. */
const COOLING: readonly ScheduleName[] = ['warmup-stable-decay', 'exponential'];

/**
 * A learning-rate schedule: an even rise over the warm-up, then
 * - `constant`: the peak;
 * - `linear`, `cosine`: to `final` at the last step;
 * - `warmup-stable-decay`: the peak, then a linear cool-down to `final`;
 * - `exponential`: to a tenth of the peak, then a linear cool-down to `final` (xLSTM 7B, 2503.13427, section 4).
 *
 * @throws OptionError for an unknown name, rates that are negative or not finite, or phases longer than the training.
 * @example
 * ```ts
 * const lr = createSchedule('cosine', { peak: 1e-3, steps: 1000, warmupSteps: 100, final: 1e-4 })
 * for (let step = 0; step < 1000; step++) optimizer.step({ lr: lr(step) })
 * ```
 */
export function createSchedule(name: ScheduleName, options: CooldownOptions): Schedule {
  if (!SCHEDULES.includes(name)) {
    throw new OptionError(`schedule: none is called ${JSON.stringify(name)}; pick one of ${SCHEDULES.join(', ')}`);
  }
  const cools = COOLING.includes(name);
  const checked = check(cools ? options : { ...options, cooldownSteps: 0 });
  const { peak, steps, warmupSteps, final, cooldownSteps } = checked;
  const end = steps - cooldownSteps;
  const shape = (step: number) =>
    SHAPES[name](end > warmupSteps ? Math.min(1, (step - warmupSteps) / (end - warmupSteps)) : 1, checked);
  return (step) => {
    if (step < warmupSteps) return (peak * (step + 1)) / warmupSteps;
    if (step < end || cooldownSteps === 0) return shape(step);
    const share = Math.min(1, (step - end) / cooldownSteps);
    return shape(end) + (final - shape(end)) * share;
  };
}
