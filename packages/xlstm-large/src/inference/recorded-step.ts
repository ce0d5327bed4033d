import { Decoder } from '../decoder.ts';
import type { StepRunnerFactory } from './step-runner.ts';

/** The step of the readable model, recorded. */
export const recordedStep: StepRunnerFactory = (model, state, rows) => new Decoder(model, state, { rows });
