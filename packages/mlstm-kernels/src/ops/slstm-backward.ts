import type { Arena, DeviceBuffer, Dtype } from '@xlstm/device';
import { slstmBackwardKernel } from '../kernels/slstm-backward/index.ts';
import { slstmGradientSumKernel } from '../kernels/slstm-gradient-sum/index.ts';
import { slstmWeightGradientKernel } from '../kernels/slstm-weight-gradient/index.ts';
import { layoutParams } from '../layout.ts';
import { requireBackwardInputs, type SlstmBackwardInputs, type SlstmGradients } from '../slstm-inputs.ts';
import { inputLayoutParams, type SlstmInputOperand, slstmInputLayout } from '../slstm-layout.ts';
import { backwardParams, type SlstmBackwardOptions } from '../slstm-options.ts';
import { recurrentLength, requireSlstmShape, type SlstmShape, slstmStateLength } from '../slstm-shape.ts';
import { packRecurrent } from './slstm.ts';

/** Workgroups that the weight gradient is spread over at least, where there are rows enough. */
const WORKGROUPS = 256;
const TILE = 64;
/** Fewer rows than these are not worth a partial sum of their own. */
const FEWEST_ROWS = 256;

/** Temporaries of one call. */
type Alloc = (dtype: Dtype, length: number, label: string) => DeviceBuffer;

/** How many of the B·S rows go into one partial sum of the weight gradient. */
function rowsPerSum({ B, S, NH, DH }: SlstmShape): number {
  const tiles = NH * Math.ceil((4 * DH) / TILE) * Math.ceil(DH / TILE);
  const splits = Math.max(1, Math.min(Math.floor(WORKGROUPS / tiles), Math.floor((B * S) / FEWEST_ROWS)));
  return Math.ceil((B * S) / splits);
}

/** `target (+)=` the sum of `planes` times `length` elements of `source`, contiguous. */
function queueSum(
  arena: Arena,
  source: { buffer: DeviceBuffer; offset: number; planes: number; stride: number },
  target: { buffer: DeviceBuffer; accumulate?: boolean },
): void {
  const { buffer, ...place } = source;
  const length = target.buffer.length;
  arena.device.launch(slstmGradientSumKernel, {
    buffers: { source: buffer, target: target.buffer },
    params: {
      ...inputLayoutParams('target', { offset: 0, batch: 0, head: 0, step: 0, gate: 0 }),
      ...{ B: 1, S: 1, G: 1, NH: 1, DH: length },
      ...place,
      accumulate: target.accumulate ? 1 : 0,
    },
  });
}

/** The gradients of recurrent weights and bias, from those of the pre-activations. */
function queueWeightGradients(
  arena: Arena,
  alloc: Alloc,
  shape: SlstmShape,
  { saved, y }: SlstmBackwardInputs,
  dx: SlstmInputOperand,
  { recurrent, bias }: SlstmGradients,
): void {
  const { B, S, NH, DH } = shape;
  const rows = rowsPerSum(shape);
  const planes = Math.ceil((B * S) / rows);
  const weights = recurrentLength(shape);
  const stride = weights + 4 * NH * DH;
  const partials = alloc('fp32', planes * stride, 'sLSTM weight gradient, in parts');
  arena.device.launch(slstmWeightGradientKernel, {
    buffers: { dx: dx.buffer, y: y.buffer, saved, partials },
    params: {
      ...inputLayoutParams('dx', dx.layout),
      ...layoutParams('y', y),
      ...{ B, S, NH, DH, rows, recurrent: recurrent ? 1 : 0 },
    },
  });
  if (recurrent) queueSum(arena, { buffer: partials, offset: 0, planes, stride }, recurrent);
  if (bias) queueSum(arena, { buffer: partials, offset: weights, planes, stride }, bias);
}

/**
 * The gradients of `slstm`, exact through the clip of y, the min and the stabiliser, and into the initial state. Two
 * launches with the same inputs give the same bits.
 *
 * @param arena where temporaries come from; all are back in it on return
 * @param inputs `recurrent`, `saved`, `y` as in the forward; `dy [B, NH, S, DH]` and `dlast` (planes y | c | n | m), either absent
 *   where it is zero; all fp32
 * @param gradients what is wanted, of `x`, `recurrent`, `bias` and the initial `state`, replaced or added to
 * @throws ShapeError, DtypeError, OptionError before anything is queued. Source: xLSTM (2405.04517), appendix A.2.
 * @example
 * ```ts
 * slstmBackward(arena, shape, { recurrent, saved, y, dy }, {
 *   x: { buffer: dx, layout: slstmInputLayout(shape) },
 *   recurrent: { buffer: dR, accumulate: true },
 * })
 * ```
 */
export function slstmBackward(
  arena: Arena,
  shape: SlstmShape,
  inputs: SlstmBackwardInputs,
  gradients: SlstmGradients,
  options: SlstmBackwardOptions = {},
): void {
  requireSlstmShape('slstmBackward', shape);
  const cell = backwardParams('slstmBackward', options);
  requireBackwardInputs('slstmBackward', shape, inputs, gradients);
  const { B, S, NH, DH } = shape;
  const { device } = arena;
  const temporaries: DeviceBuffer[] = [];
  const alloc: Alloc = (dtype, length, label) => {
    const buffer = arena.alloc(dtype, length, label);
    temporaries.push(buffer);
    return buffer;
  };
  try {
    let weights = inputs.recurrent;
    if (!cell.cut) {
      weights = packRecurrent(arena, shape, inputs.recurrent, 'by output');
      temporaries.push(weights);
    }
    const carried = alloc('fp32', slstmStateLength(shape), 'sLSTM state gradient');
    if (inputs.dlast) device.copy(inputs.dlast, carried);
    else device.clear(carried);
    // Where the gradient of x is added to another, the weight gradients still need it by itself.
    const { x } = gradients;
    const alone = x && !x.accumulate;
    const dx: SlstmInputOperand = alone
      ? x
      : { buffer: alloc('fp32', B * S * 4 * NH * DH, 'sLSTM gate gradients'), layout: slstmInputLayout(shape) };
    device.launch(slstmBackwardKernel, {
      buffers: { recurrent: weights, saved: inputs.saved, dy: inputs.dy?.buffer, carried, dx: dx.buffer },
      params: {
        ...layoutParams('dy', inputs.dy ?? inputs.y),
        ...inputLayoutParams('dx', dx.layout),
        ...{ B, S, NH, DH },
        ...cell,
      },
    });
    if (x?.accumulate) {
      device.launch(slstmGradientSumKernel, {
        buffers: { source: dx.buffer, target: x.buffer },
        params: {
          ...inputLayoutParams('target', x.layout),
          ...{ B, S, G: 4, NH, DH, offset: 0, planes: 1, stride: 0, accumulate: 1 },
        },
      });
    }
    if (gradients.recurrent || gradients.bias) queueWeightGradients(arena, alloc, shape, inputs, dx, gradients);
    const { state } = gradients;
    if (state?.accumulate) queueSum(arena, { buffer: carried, offset: 0, planes: 1, stride: 0 }, state);
    else if (state) device.copy(carried, state.buffer);
  } finally {
    for (const buffer of temporaries) arena.release(buffer);
  }
}
