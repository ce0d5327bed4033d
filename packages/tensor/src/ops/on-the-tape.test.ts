import { Arena, type Device } from '@xlstm/device';
import { Random } from '@xlstm-tooling/kernel-harness';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import { expect, it } from 'vitest';
import { gelu, silu } from '../kernels/activation/index.ts';
import { causalConv } from '../kernels/causal-conv/index.ts';
import { copyColumns } from '../kernels/copy-columns/index.ts';
import { dropout } from '../kernels/dropout/index.ts';
import { fillWhere } from '../kernels/fill-where/index.ts';
import { gatedActivation, swiglu } from '../kernels/gated-activation/index.ts';
import { gatedSkip } from '../kernels/gated-skip/index.ts';
import { headLayerNorm } from '../kernels/head-layer-norm/index.ts';
import { residual } from '../kernels/residual/index.ts';
import { softCap, softCapInPlace } from '../kernels/soft-cap/index.ts';
import { Scope } from '../scope.ts';
import { Tape } from '../tape/tape.ts';
import type { Tensor } from '../tensor.ts';
import { dot, uploaded } from '../testing/finite-differences.ts';
import { blockDiagonalLinear, blockDiagonalLinears } from './block-diagonal-linear.ts';
import { linear } from './linear.ts';

const [B, S, D, K] = [2, 5, 4, 4];

/** An operation on tensors of the given shapes, with what varies in all of them at once. */
interface Operation {
  name: string;
  shapes: Record<string, readonly number[]>;
  run: (scope: Scope, inputs: Record<string, Tensor>) => Tensor;
}

function operation<const Shapes extends Record<string, readonly number[]>>(
  name: string,
  shapes: Shapes,
  run: (scope: Scope, inputs: { [name in keyof Shapes]: Tensor }) => Tensor,
): Operation {
  return { name, shapes, run: run as Operation['run'] };
}

const operations: readonly Operation[] = [
  operation('headLayerNorm', { x: [B, S, D], wide: [B, S, 3 * D], weight: [D], bias: [D] }, (scope, t) =>
    headLayerNorm(scope, t.x, t.weight, {
      heads: 2,
      eps: 0.5,
      weightOffset: 1,
      bias: t.bias,
      gate: t.wide.columns(D, D),
    }),
  ),
  operation('silu of columns', { wide: [B, S, 3 * D] }, (scope, t) => silu(scope, t.wide.columns(D, D))),
  operation('gelu', { x: [B, S, D] }, (scope, t) => gelu(scope, t.x)),
  operation('swiglu of both halves', { wide: [B, S, 2 * D] }, (scope, t) =>
    swiglu(scope, t.wide.columns(0, D), t.wide.columns(D, D)),
  ),
  operation('gatedActivation of two tensors', { gate: [B, S, D], up: [B, S, D] }, (scope, t) =>
    gatedActivation(scope, t.gate, t.up, 'gelu'),
  ),
  operation('softCap', { wide: [B, S, 3 * D] }, (scope, t) => softCap(scope, t.wide.columns(1, D), 2)),
  operation('softCapInPlace', { x: [B, S, D] }, (scope, t) => softCapInPlace(scope, silu(scope, t.x), 2)),
  operation('copyColumns, twice the same', { wide: [B, S, 3 * D] }, (scope, t) => {
    const half = copyColumns(scope, t.wide.columns(D, D));
    return swiglu(scope, half, copyColumns(scope, t.wide.columns(D, D)));
  }),
  operation(
    'gatedSkip',
    { h: [B, S, D], skip: [D], a: [B, S, D], wide: [B, S, 2 * D] },
    (scope, { h, skip, a, wide }) => gatedSkip(scope, { h, skip, a, z: wide.columns(D, D) }),
  ),
  operation(
    'causalConv through a state, in place',
    { wide: [B, S, 2 * D], x: [B, S, D], weight: [D, 1, K], bias: [D], start: [B, K - 1, D] },
    (scope, { wide, x, weight, bias, start }) => {
      // The state changes hands twice; what the first call read must still be there for its gradient.
      const state = silu(scope, start);
      const y = causalConv(scope, { x: wide.columns(D, D), weight, bias, state, nextState: state });
      return swiglu(scope, y, causalConv(scope, { x, weight, bias, state, nextState: state }));
    },
  ),
  operation('causalConv to another state', { x: [B, S, D], weight: [D, 1, K] }, (scope, { x, weight }) => {
    const nextState = scope.tensor([B, K - 1, D]);
    causalConv(scope, { x, weight, nextState });
    return causalConv(scope, { x, weight, state: nextState });
  }),
  operation('blockDiagonalLinear', { wide: [B, S, 3 * D], weight: [2, 3, 2], bias: [6] }, (scope, t) =>
    blockDiagonalLinear(scope, t.wide.columns(1, D), t.weight, { bias: t.bias }),
  ),
  operation(
    'blockDiagonalLinears of one input twice',
    { x: [B, S, D], wide: [B, S, 2 * D], q: [2, 2, 2], k: [2, 2, 2], v: [1, 3, 4], bias: [3] },
    (scope, { x, wide, q, k, v, bias }) =>
      blockDiagonalLinears(scope, [
        { x, weight: q },
        { x, weight: k },
        { x: wide.columns(D, D), weight: v, bias },
      ]),
  ),
  operation('gatedActivation of one tensor twice', { x: [B, S, D] }, (scope, t) =>
    gatedActivation(scope, t.x, t.x, 'gelu'),
  ),
  operation('swiglu of columns that overlap', { wide: [B, S, D + 1] }, (scope, t) =>
    swiglu(scope, t.wide.columns(0, D), t.wide.columns(1, D)),
  ),
  operation('gatedSkip of one tensor', { x: [B, S, D], skip: [D] }, (scope, { x, skip }) =>
    gatedSkip(scope, { h: x, skip, a: x, z: x }),
  ),
  operation('headLayerNorm that its input gates', { x: [B, S, D], weight: [D] }, (scope, t) =>
    headLayerNorm(scope, t.x, t.weight, { heads: 2, eps: 0.5, gate: t.x, bias: t.weight }),
  ),
  operation('a square', { x: [D, D] }, (scope, t) => residual(scope, linear(scope, t.x, t.x), t.x)),
  operation('blockDiagonalLinears of views of one input', { x: [B, S, D], weight: [2, 2, 2] }, (scope, t) =>
    blockDiagonalLinears(scope, [
      { x: t.x.columns(0, D), weight: t.weight },
      { x: t.x.columns(0, D), weight: t.weight },
    ]),
  ),
  operation('fillWhere of columns', { wide: [B, S, 3 * D] }, (scope, t) => {
    const ids = scope.tensor([B, S], 'i32');
    scope.device.upload(
      ids.buffer,
      Int32Array.from({ length: B * S }, (_, at) => at % 3),
    );
    const y = fillWhere(scope, t.wide.columns(D, D), { ids, id: 1, value: 0.5 });
    scope.release(ids);
    scope.tensor([B, S], 'i32');
    return y;
  }),
  operation('dropout', { x: [B, S, D] }, (scope, t) => {
    const seed = scope.tensor([2], 'u32');
    scope.device.upload(seed.buffer, Uint32Array.of(3, 4));
    const y = dropout(scope, t.x, { p: 0.4, seed, stream: 1 });
    scope.release(seed);
    scope.device.upload(scope.tensor([2], 'u32').buffer, Uint32Array.of(5, 6));
    return y;
  }),
];

async function gradientsOf(device: Device, { shapes, run }: Operation, values: Record<string, Float32Array>) {
  using arena = new Arena(device);
  using plain = new Scope(arena);
  using tape = new Tape(arena);
  const inputs = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [name, tape.watch(uploaded(plain, shape, values[name]!))]),
  );
  const y = run(tape, inputs);
  const dy = new Random(9).normals(y.rows * y.cols);
  y.backward(uploaded(plain, y.shape, dy));
  const gradients: Record<string, Float32Array> = {};
  for (const [name, tensor] of Object.entries(inputs)) {
    gradients[name] = (await device.read(tape.gradient(tensor).buffer)) as Float32Array;
  }
  return { gradients, dy };
}

async function lossOf(
  device: Device,
  { shapes, run }: Operation,
  values: Record<string, Float32Array>,
  dy: Float32Array,
): Promise<number> {
  using arena = new Arena(device);
  using scope = new Scope(arena);
  const inputs = Object.entries(shapes).map(([name, shape]) => [name, uploaded(scope, shape, values[name]!)] as const);
  const y = await device.read(run(scope, Object.fromEntries(inputs)).buffer);
  return dot(y, dy);
}

await describeDevices('on the tape', (device) => {
  it.each(operations)('$name has the gradient of what it computes, the same bits each time', async (operation) => {
    const random = new Random(4);
    const names = Object.keys(operation.shapes);
    const made = (scale: number) =>
      Object.fromEntries(
        names.map((name) => [
          name,
          random.normals(
            operation.shapes[name]!.reduce((a, b) => a * b, 1),
            scale,
          ),
        ]),
      );
    const values = made(0.7);
    const { gradients, dy } = await gradientsOf(device, operation, values);
    expect((await gradientsOf(device, operation, values)).gradients).toEqual(gradients);
    // Along one random direction for each input, what the gradient says and what the loss does.
    const direction = made(1);
    for (const name of names) {
      const step = 1e-2;
      const moved = (by: number) => ({
        ...values,
        [name]: values[name]!.map((value, at) => value + by * direction[name]![at]!),
      });
      const above = await lossOf(device, operation, moved(step), dy);
      const below = await lossOf(device, operation, moved(-step), dy);
      const quotient = (above - below) / (2 * step);
      const slope = dot(gradients[name]!, direction[name]!);
      const scale = Math.sqrt(dot(gradients[name]!, gradients[name]!) * dot(direction[name]!, direction[name]!));
      expect(Math.abs(quotient - slope), `${name}: ${slope} for ${quotient}`).toBeLessThan(1e-3 * scale);
      expect(scale, `${name} has no gradient`).toBeGreaterThan(0.1);
    }
  });
});
