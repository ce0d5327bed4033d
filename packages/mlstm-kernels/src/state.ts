import { type Device, type DeviceBuffer, DtypeError, ShapeError } from '@xlstm/device';
import { type MlstmShape, requireShape } from './shape.ts';

/** What a state's size depends on; it is the same for any number of steps. */
export type StateShape = Omit<MlstmShape, 'S'>;

/**
 * Elements of a state: the planes `C [B, NH, DHQK, DHHV]`, `n [B, NH, DHQK]`, `m [B, NH]`, one after the other.
 *
 * @throws ShapeError when a size is not a positive integer.
 * @example
 * ```ts
 * using state = device.alloc('fp32', mlstmStateLength(shape), { owner: 'state' })  // all zero: empty
 * ```
 */
export function mlstmStateLength(shape: StateShape): number {
  requireShape('mlstmStateLength', { ...shape, S: 1 });
  const { B, NH, DHQK, DHHV } = shape;
  return B * NH * (DHQK * DHHV + DHQK + 1);
}

/** Where each plane of a state starts. */
export function statePlanes({ B, NH, DHQK, DHHV }: StateShape): { n: number; m: number; end: number } {
  const n = B * NH * DHQK * DHHV;
  const m = n + B * NH * DHQK;
  return { n, m, end: m + B * NH };
}

/**
 * Waits for the device and returns a state's planes `c [B, NH, DHQK, DHHV]`, `n [B, NH, DHQK]` and `m [B, NH]`.
 * The true state is `c · exp(m)` and `n · exp(m)`.
 *
 * @throws ShapeError when the buffer is shorter than the state, DtypeError when it is not fp32.
 * @example
 * ```ts
 * const { c, n, m } = await readMlstmState(device, state, shape)
 * ```
 */
export async function readMlstmState(
  device: Device,
  buffer: DeviceBuffer,
  shape: StateShape,
): Promise<{ c: Float32Array; n: Float32Array; m: Float32Array }> {
  const length = mlstmStateLength(shape);
  if (buffer.dtype !== 'fp32') {
    throw new DtypeError(`readMlstmState: a state is fp32, got ${buffer.dtype} ("${buffer.label}"); pass the state`);
  }
  if (buffer.length < length) {
    throw new ShapeError(
      `readMlstmState: a state of this shape has ${length} elements, buffer "${buffer.label}" has ${buffer.length}; allocate mlstmStateLength(shape)`,
    );
  }
  const data = (await device.read(buffer, 0, length)) as Float32Array;
  const planes = statePlanes(shape);
  return { c: data.slice(0, planes.n), n: data.slice(planes.n, planes.m), m: data.slice(planes.m) };
}
