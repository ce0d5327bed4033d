import {
  createCpuDevice,
  type Device,
  DeviceError,
  DisposedError,
  type Dtype,
  DtypeError,
  type NumberArray,
  newArray,
  OptionError,
  OutOfMemoryError,
  ShapeError,
} from '@xlstm/device';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { describeDevices } from '../test-kernel.ts';

const DTYPES: readonly Dtype[] = ['fp32', 'fp16', 'bf16', 'i32', 'u32'];

/** Distinct contents of any dtype. */
function numbered(dtype: Dtype, length: number, from = 1): NumberArray {
  const data = newArray(dtype, length);
  for (let index = 0; index < length; index++) data[index] = from + index;
  return data;
}

await describeDevices('buffers', (device: Device, kind) => {
  it.each(DTYPES)('%s goes up and comes back, at odd lengths', async (dtype) => {
    for (const length of [1, 2, 3, 5, 129, 1001]) {
      const buffer = device.from(dtype, numbered(dtype, length));
      expect(buffer.length).toBe(length);
      expect(await device.read(buffer)).toEqual(numbered(dtype, length));
      buffer.dispose();
    }
  });

  it.each(DTYPES)('%s starts at zero', async (dtype) => {
    const buffer = device.alloc(dtype, 77);
    expect(await device.read(buffer)).toEqual(newArray(dtype, 77));
    buffer.dispose();
  });

  it('may be empty', async () => {
    const buffer = device.from('bf16', new Uint16Array(0));
    expect(await device.read(buffer)).toEqual(new Uint16Array(0));
    const other = device.alloc('bf16', 0);
    device.copy(buffer, other);
    device.clear(buffer);
    await device.sync();
    buffer.dispose();
    other.dispose();
  });

  it('carries more than one piece of an upload', async () => {
    const words = (5 * 2 ** 20) / 4 + 3;
    const buffer = device.from('u32', numbered('u32', words));
    expect([...(await device.read(buffer, words - 2))]).toEqual([words - 1, words]);
    expect((await device.read(buffer, 2 ** 19 - 1, 2))[1]).toBe(2 ** 19 + 1);
    buffer.dispose();
  });

  it('reads any range, also where 16-bit elements start in the middle of a word', async () => {
    const buffer = device.from('fp16', numbered('fp16', 31));
    await fc.assert(
      fc.asyncProperty(fc.nat(31), fc.nat(31), async (a, b) => {
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        expect([...(await device.read(buffer, from, to - from))]).toEqual(
          Array.from({ length: to - from }, (_, index) => from + index + 1),
        );
      }),
      { numRuns: 40 },
    );
    buffer.dispose();
  });

  it('writes a part and leaves the rest', async () => {
    const buffer = device.from('bf16', numbered('bf16', 7));
    device.upload(buffer, Uint16Array.of(90, 91), 2);
    device.upload(buffer, Uint16Array.of(92), 6);
    expect([...(await device.read(buffer))]).toEqual([1, 2, 90, 91, 5, 6, 92]);
    buffer.dispose();
  });

  it('takes the data at the time of the call', async () => {
    const data = Float32Array.of(1, 2, 3);
    const buffer = device.from('fp32', data);
    data.fill(9);
    expect([...(await device.read(buffer))]).toEqual([1, 2, 3]);
    buffer.dispose();
  });

  it('gives a copy: changing what was read changes nothing', async () => {
    const buffer = device.from('i32', Int32Array.of(-1, 2));
    (await device.read(buffer)).fill(0);
    expect([...(await device.read(buffer))]).toEqual([-1, 2]);
    buffer.dispose();
  });

  it('copies whole buffers of any length, and parts', async () => {
    for (const dtype of DTYPES) {
      const source = device.from(dtype, numbered(dtype, 9));
      const target = device.from(dtype, numbered(dtype, 9, 40));
      device.copy(source, target);
      expect(await device.read(target)).toEqual(numbered(dtype, 9));
      device.copy(source, target, 2, 4, 4);
      expect([...(await device.read(target))]).toEqual([1, 2, 3, 4, 3, 4, 5, 6, 9]);
      source.dispose();
      target.dispose();
    }
  });

  it('copies to its own end, at an odd length, without touching a neighbour', async () => {
    const source = device.from('fp16', numbered('fp16', 5));
    const target = device.from('fp16', numbered('fp16', 7, 40));
    device.copy(source, target, 2, 4, 3);
    expect([...(await device.read(target))]).toEqual([40, 41, 42, 43, 3, 4, 5]);
    source.dispose();
    target.dispose();
  });

  it('clears', async () => {
    const buffer = device.from('fp16', numbered('fp16', 5));
    device.clear(buffer);
    expect([...(await device.read(buffer))]).toEqual([0, 0, 0, 0, 0]);
    buffer.dispose();
  });

  it('keeps upload, copy and clear in the order of the calls', async () => {
    const a = device.from('fp32', Float32Array.of(1));
    const b = device.alloc('fp32', 1);
    device.copy(a, b);
    device.upload(a, Float32Array.of(2));
    const first = device.read(b);
    device.copy(a, b);
    const second = device.read(b);
    device.clear(b);
    expect([...(await first), ...(await second), ...(await device.read(b))]).toEqual([1, 2, 0]);
    a.dispose();
    b.dispose();
  });

  it('refuses ranges out of bounds, and changes nothing', async () => {
    const buffer = device.from('fp32', Float32Array.of(1, 2, 3, 4));
    const other = device.alloc('fp32', 3);
    expect(() => device.upload(buffer, Float32Array.of(8, 9), 3)).toThrow(ShapeError);
    expect(() => device.upload(buffer, Float32Array.of(9), -1)).toThrow(ShapeError);
    expect(() => device.upload(buffer, Float32Array.of(9), 0.5)).toThrow(ShapeError);
    await expect(device.read(buffer, 5)).rejects.toThrow(ShapeError);
    await expect(device.read(buffer, 2, 3)).rejects.toThrow(ShapeError);
    await expect(device.read(buffer, Number.NaN, 1)).rejects.toThrow(ShapeError);
    expect(() => device.copy(buffer, other)).toThrow(/elements 0…4 are outside buffer/);
    expect(() => device.copy(buffer, other, 3, 0, 2)).toThrow(ShapeError);
    expect([...(await device.read(buffer))]).toEqual([1, 2, 3, 4]);
    buffer.dispose();
    other.dispose();
  });

  it('refuses arrays and dtypes of another kind', () => {
    const buffer = device.alloc('fp16', 4);
    const floats = device.alloc('fp32', 4);
    expect(() => device.upload(buffer, new Float32Array(4))).toThrow(DtypeError);
    expect(() => device.upload(floats, new Int32Array(4))).toThrow(/takes a Float32Array, got a Int32Array/);
    expect(() => device.copy(buffer, floats)).toThrow(DtypeError);
    expect(() => device.copy(buffer, buffer)).toThrow(OptionError);
    const before = device.liveBuffers();
    expect(() => device.from('bf16', new Float32Array(4))).toThrow(DtypeError);
    expect(device.liveBuffers()).toEqual(before);
    buffer.dispose();
    floats.dispose();
  });

  it('refuses lengths that are none, and more than the device can bind', () => {
    for (const length of [-1, 1.5, Number.NaN, 2 ** 60]) {
      expect(() => device.alloc('fp32', length)).toThrow(ShapeError);
    }
    const before = device.liveBuffers();
    expect(() => device.alloc('fp32', device.maxBufferBytes / 4 + 1, { label: 'huge' })).toThrow(OutOfMemoryError);
    expect(() => device.alloc('fp32', device.maxBufferBytes / 4 + 1, { label: 'huge' })).toThrow(
      /"huge" needs \d+ bytes/,
    );
    expect(device.liveBuffers()).toEqual(before);
  });

  it('refuses buffers of another device', async () => {
    const elsewhere = createCpuDevice();
    const foreign = elsewhere.from('fp32', Float32Array.of(1, 2));
    const own = device.alloc('fp32', 2);
    expect(() => device.upload(foreign, new Float32Array(2))).toThrow(DeviceError);
    await expect(device.read(foreign)).rejects.toThrow(DeviceError);
    expect(() => device.copy(foreign, own)).toThrow(/belongs to another device/);
    expect(() => device.copy(own, foreign)).toThrow(DeviceError);
    expect(() => device.clear(foreign)).toThrow(DeviceError);
    expect([...(await elsewhere.read(foreign))]).toEqual([1, 2]);
    own.dispose();
    elsewhere.dispose();
  });

  it('counts live buffers and bytes by owner, and disposing twice counts once', () => {
    const before = device.liveBuffers();
    const a = device.alloc('fp16', 3, { owner: 'test state' });
    const b = device.alloc('fp32', 5, { owner: 'test state' });
    expect(device.liveBuffers().byOwner['test state']).toEqual({ count: 2, bytes: 28 });
    expect(device.liveBuffers().count).toBe(before.count + 2);
    a.dispose();
    a.dispose();
    expect(a.disposed).toBe(true);
    expect(device.liveBuffers().byOwner['test state']).toEqual({ count: 1, bytes: 20 });
    b[Symbol.dispose]();
    expect(device.liveBuffers()).toEqual(before);
  });

  it('refuses a disposed buffer by name', async () => {
    const gone = device.alloc('fp32', 2, { owner: 'weights', label: 'embedding' });
    const live = device.alloc('fp32', 2);
    gone.dispose();
    expect(() => device.upload(gone, new Float32Array(2))).toThrow(DisposedError);
    await expect(device.read(gone)).rejects.toThrow(/read: buffer "embedding" \(owner weights\) was disposed/);
    expect(() => device.copy(gone, live)).toThrow(DisposedError);
    expect(() => device.copy(live, gone)).toThrow(DisposedError);
    expect(() => device.clear(gone)).toThrow(DisposedError);
    live.dispose();
  });

  it('completes what was queued before a buffer was disposed', async () => {
    const source = device.from('fp32', Float32Array.of(5));
    const target = device.alloc('fp32', 1);
    device.copy(source, target);
    source.dispose();
    expect([...(await device.read(target))]).toEqual([5]);
    target.dispose();
  });

  if (kind === 'webgpu') {
    it('refuses 16-bit ranges that split a word, and says what to do', async () => {
      const buffer = device.from('fp16', numbered('fp16', 8));
      const other = device.alloc('fp16', 8);
      expect(() => device.upload(buffer, Uint16Array.of(9), 1)).toThrow(ShapeError);
      expect(() => device.upload(buffer, Uint16Array.of(9), 2)).toThrow(/upload an even range/);
      expect(() => device.copy(buffer, other, 1, 0, 2)).toThrow(ShapeError);
      expect(() => device.copy(buffer, other, 0, 0, 3)).toThrow(ShapeError);
      expect(await device.read(buffer)).toEqual(numbered('fp16', 8));
      buffer.dispose();
      other.dispose();
    });
  }
});
