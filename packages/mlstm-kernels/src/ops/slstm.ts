import type { Arena, DeviceBuffer } from '@xlstm/device';
import { slstmForwardKernel } from '../kernels/slstm-forward/index.ts';
import { slstmPackRecurrentKernel } from '../kernels/slstm-pack-recurrent/index.ts';
import { layoutParams } from '../layout.ts';
import { requireSlstmInputs, type SlstmInputs } from '../slstm-inputs.ts';
import { inputLayoutParams } from '../slstm-layout.ts';
import { forwardParams, type SlstmOptions } from '../slstm-options.ts';
import { recurrentLength, requireSlstmShape, type SlstmShape } from '../slstm-shape.ts';

/** Queues the weights in the order that a sequence kernel reads them in; the caller releases the buffer. */
export function packRecurrent(
  arena: Arena,
  shape: SlstmShape,
  recurrent: DeviceBuffer,
  order: 'by input' | 'by output',
): DeviceBuffer {
  const { NH, DH } = shape;
  const packed = arena.alloc('fp32', recurrentLength(shape), 'sLSTM recurrent weights, packed');
  arena.device.launch(slstmPackRecurrentKernel, {
    buffers: { recurrent, packed },
    params: { NH, DH, by_input: order === 'by input' ? 1 : 0 },
  });
  return packed;
}

/**
 * The sLSTM cell over a sequence, or over one step with `S` 1; the state is advanced in place.
 *
 *     i, f, z, o = x_t + R y_{t−1} + bias;  m_t = max(i, logsigmoid(f) + m_{t−1}), or i where n_{t−1} = 0
 *     i' = min(exp(i − m_t), 1);  f' = min(exp(logsigmoid(f) + m_{t−1} − m_t), 1)
 *     c_t = f' c_{t−1} + i' tanh(z);  n_t = f' n_{t−1} + i';  y_t = sigmoid(o)·c_t/n_t
 *
 * Pre-activations of i and f below −1e30, −∞ included, count as −1e30.
 *
 * @param arena where the weights are rearranged for a sequence; a single step takes nothing from it
 * @param inputs `x [B, S, 4, NH, DH]`, `recurrent [NH, 4 * DH, DH]`, `bias [4, NH, DH]`, `state`, `y [B, NH, S, DH]` and
 *   `saved` on demand, all fp32
 * @throws ShapeError, DtypeError, OptionError before anything is queued. Source: xLSTM (2405.04517), section 2.2.
 * @example
 * ```ts
 * const x = { buffer, layout: slstmInputLayout(shape) }
 * slstm(arena, { B: 1, S: 100, NH: 4, DH: 64 }, { x, recurrent, bias, state, y: { buffer: y, layout: headMajor(shape, 64) } })
 * ```
 */
export function slstm(arena: Arena, shape: SlstmShape, inputs: SlstmInputs, options: SlstmOptions = {}): void {
  requireSlstmShape('slstm', shape);
  const { clip } = forwardParams('slstm', options);
  requireSlstmInputs('slstm', shape, inputs);
  const { B, S, NH, DH } = shape;
  const { x, recurrent, bias, state, y, saved } = inputs;
  const packed = S > 1 ? packRecurrent(arena, shape, recurrent, 'by input') : undefined;
  try {
    arena.device.launch(slstmForwardKernel, {
      buffers: { x: x.buffer, recurrent: packed ?? recurrent, bias, state, y: y.buffer, saved },
      params: {
        ...inputLayoutParams('x', x.layout),
        ...layoutParams('y', y),
        B,
        S,
        NH,
        DH,
        packed: packed ? 1 : 0,
        clip,
      },
    });
  } finally {
    if (packed) arena.release(packed);
  }
}
