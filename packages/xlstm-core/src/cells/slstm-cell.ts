import { type DeviceBuffer, OptionError, ShapeError } from '@xlstm/device';
import {
  type Operand,
  type SlstmShape,
  sequenceMajor,
  slstm,
  slstmBackward,
  slstmInputLayout,
  slstmSavedLength,
  slstmStateLength,
} from '@xlstm/mlstm-kernels';
import { type GradientTarget, requireContiguous, requireShape, type Scope, type Tensor } from '@xlstm/tensor';

/** What the cell reads, all fp32. */
export interface SlstmCellInputs {
  /** `[B, S, 4·NH·DH]`: what the gates i, f, z, o get from outside; may be columns of a wider tensor. */
  x: Tensor;
  /** `[NH, 4·DH, DH]` */
  recurrent: Tensor;
  /** `[4·NH·DH]`: gate, head, unit */
  bias: Tensor;
}

/** Options of `slstmCell`. */
export interface SlstmCellOptions {
  /** NH */
  heads: number;
  /**
   * The past, `slstmStateLength` elements, which moves on by S steps; an empty one that is forgotten by default. On a tape
   * no gradient goes into it: a sequence carried over from an earlier step is cut there.
   */
  state?: DeviceBuffer | undefined;
  /** Lets no gradient through the recurrent connection. */
  gradientRecurrentCut?: boolean | undefined;
  /** Keeps the gradient through the recurrent connection within ± this. */
  gradientRecurrentClipval?: number | undefined;
  /** Keeps the output within ± this. */
  forwardClipval?: number | undefined;
}

function shapeOf({ x, recurrent, bias }: SlstmCellInputs, NH: number): SlstmShape {
  const [B, S] = x.shape;
  if (x.shape.length !== 3 || !B || !S || x.cols % (4 * NH) !== 0) {
    throw new ShapeError(`slstmCell: x must be [B, S, 4·NH·DH] with NH ${NH}, got [${x.shape}]`);
  }
  const DH = x.cols / (4 * NH);
  requireContiguous('slstmCell', 'recurrent', recurrent, [NH, 4 * DH, DH]);
  requireShape('slstmCell', 'bias', bias, [4 * NH * DH]);
  return { B, S, NH, DH };
}

function asGradient(target: GradientTarget | undefined) {
  return target && { buffer: target.tensor.buffer, accumulate: target.accumulate };
}

/**
 * The sLSTM cell over a sequence, differentiable on a tape: see `slstm` of `@xlstm/mlstm-kernels` for equations.
 *
 * @returns y `[B, S, NH·DH]` fp32
 * @throws ShapeError when shapes disagree, OptionError for a bound that is not positive. Source: xLSTM (2405.04517), section 2.2.
 * @example
 * ```ts
 * const y = slstmCell(tape, { x: gates, recurrent, bias }, { heads: 4 })
 * ```
 */
export function slstmCell(scope: Scope, inputs: SlstmCellInputs, options: SlstmCellOptions): Tensor {
  const { x, recurrent, bias } = inputs;
  const { state, gradientRecurrentCut, gradientRecurrentClipval, forwardClipval } = options;
  const shape = shapeOf(inputs, options.heads);
  const { B, S, NH, DH } = shape;
  const clip = gradientRecurrentClipval;
  if (clip !== undefined && !(clip > 0 && Number.isFinite(clip))) {
    throw new OptionError(
      `slstmCell: gradientRecurrentClipval must be a finite number > 0, got ${clip}; leave it out for no bound`,
    );
  }
  const forward = forwardClipval === undefined ? {} : { forwardClip: forwardClipval };
  const y = scope.tensor([B, S, NH * DH], 'fp32', 'slstm y');
  const rows = (tensor: Tensor): Operand => ({ buffer: tensor.buffer, layout: sequenceMajor(shape, DH) });
  const last = state ? undefined : scope.tensor([slstmStateLength(shape)], 'fp32', 'slstm state');
  if (last) scope.device.clear(last.buffer);
  const saved = scope.differentiates ? scope.tensor([slstmSavedLength(shape)], 'fp32', 'slstm saved') : undefined;
  slstm(
    scope.arena,
    shape,
    {
      x: { buffer: x.buffer, layout: slstmInputLayout(shape, x.rowStride, x.offset) },
      recurrent: recurrent.buffer,
      bias: bias.buffer,
      state: state ?? last!.buffer,
      y: rows(y),
      saved: saved?.buffer,
    },
    forward,
  );
  if (last) scope.release(last);
  if (!saved) return y;
  scope.record({
    name: 'slstmCell',
    inputs: [x, recurrent, bias],
    outputs: [y],
    saved: [recurrent, saved, y],
    backward: (gradients) => {
      const [dx, dRecurrent, dBias] = gradients.targets(x, recurrent, bias);
      slstmBackward(
        gradients.scope.arena,
        shape,
        { recurrent: recurrent.buffer, saved: saved.buffer, y: rows(y), dy: rows(gradients.of(y)!) },
        {
          x: dx && { ...asGradient(dx)!, layout: slstmInputLayout(shape, dx.tensor.rowStride, dx.tensor.offset) },
          recurrent: asGradient(dRecurrent),
          bias: asGradient(dBias),
        },
        {
          ...forward,
          ...(gradientRecurrentCut ? { gradientRecurrentCut } : {}),
          ...(clip === undefined ? {} : { gradientRecurrentClip: clip }),
        },
      );
    },
  });
  scope.release(saved);
  return y;
}
