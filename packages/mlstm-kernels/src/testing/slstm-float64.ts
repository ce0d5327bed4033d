import { slstmBackwardReference } from '../kernels/slstm-backward/reference.ts';
import { slstmForwardReference } from '../kernels/slstm-forward/reference.ts';
import { slstmPackRecurrentReference } from '../kernels/slstm-pack-recurrent/reference.ts';
import { slstmWeightGradientReference } from '../kernels/slstm-weight-gradient/reference.ts';
import { inputLayoutParams, slstmInputLayout } from '../slstm-layout.ts';
import { recurrentLength, type SlstmShape, slstmSavedLength, slstmStateLength } from '../slstm-shape.ts';
import { forwardParamsOf, outputParams, outputPlace } from './slstm-case-data.ts';

/** A cell's inputs in float64, contiguous, or gradients of them. */
export interface Float64Cell {
  x: Float64Array;
  recurrent: Float64Array;
  bias: Float64Array;
  state: Float64Array;
}

/** Gradients of outputs, and how they come back. */
export interface Float64Given {
  dy: Float64Array;
  dlast: Float64Array;
  clip?: number;
  cut?: number;
  recurrentClip?: number;
}

/** The references only index their views, so that float64 ones keep all of their digits. */
const view = (data: Float64Array): Float32Array => data as unknown as Float32Array;

/** The forward reference, wholly in float64. */
export function forward64(
  shape: SlstmShape,
  cell: Float64Cell,
  clip = 0,
): { y: Float64Array; last: Float64Array; saved: Float64Array } {
  const { B, S, NH, DH } = shape;
  const y = new Float64Array(B * S * NH * DH);
  const last = cell.state.slice();
  const saved = new Float64Array(slstmSavedLength(shape));
  slstmForwardReference(
    {
      ...{ x: view(cell.x), recurrent: view(cell.recurrent), bias: view(cell.bias) },
      ...{ state: view(last), y: view(y), saved: view(saved) },
    },
    forwardParamsOf(shape, { clip }, 0),
  );
  return { y, last, saved };
}

/** The backward references, wholly in float64. */
export function backward64(
  shape: SlstmShape,
  recurrent: Float64Array,
  { y, saved }: { y: Float64Array; saved: Float64Array },
  { dy, dlast, clip = 0, cut = 0, recurrentClip = 0 }: Float64Given,
): Float64Cell {
  const { B, S, NH, DH } = shape;
  const packed = new Float64Array(recurrent.length);
  slstmPackRecurrentReference({ recurrent: view(recurrent), packed: view(packed) }, { NH, DH, by_input: 0 });
  const place = outputPlace(shape).layout;
  const dx = new Float64Array(B * S * 4 * NH * DH);
  const state = dlast.slice(0, slstmStateLength(shape));
  const sizes = { ...inputLayoutParams('dx', slstmInputLayout(shape)), B, S, NH, DH };
  slstmBackwardReference(
    { recurrent: view(packed), saved: view(saved), dy: view(dy), carried: view(state), dx: view(dx) },
    { ...outputParams('dy', place), ...sizes, clip, cut, recurrent_clip: recurrentClip },
  );
  const weights = recurrentLength(shape);
  const partials = new Float64Array(weights + 4 * NH * DH);
  slstmWeightGradientReference(
    { dx: view(dx), y: view(y), saved: view(saved), partials: view(partials) },
    { ...outputParams('y', place), ...sizes, rows: B * S, recurrent: 1 },
  );
  return { x: dx, recurrent: partials.slice(0, weights), bias: partials.slice(weights), state };
}
