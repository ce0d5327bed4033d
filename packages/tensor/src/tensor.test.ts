import { createCpuDevice, DisposedError, ShapeError } from '@xlstm/device';
import { afterEach, describe, expect, it } from 'vitest';
import { elementCount, requireContiguous, requireShape, Tensor } from './tensor.ts';

const device = createCpuDevice();
const made: Disposable[] = [];
afterEach(() => {
  for (const item of made.splice(0)) item[Symbol.dispose]();
  expect(device.liveBuffers().count).toBe(0);
});

function tensor(shape: readonly number[], length = elementCount(shape)): Tensor {
  const buffer = device.alloc('fp32', length, { label: 'made' });
  made.push(buffer);
  return new Tensor(buffer, shape);
}

describe('Tensor', () => {
  it('knows its rows, columns and bytes', () => {
    const t = tensor([2, 3, 4]);
    expect([t.rows, t.cols, t.rowStride, t.offset, t.byteLength, t.dtype]).toEqual([6, 4, 4, 0, 96, 'fp32']);
    expect(t.contiguous).toBe(true);
  });

  it('takes a vector for one row, a scalar for one element, and nothing for nothing', () => {
    const vector = tensor([5]);
    expect([vector.rows, vector.cols]).toEqual([1, 5]);
    const scalar = tensor([], 1);
    expect([scalar.rows, scalar.cols]).toEqual([1, 1]);
    expect(tensor([0, 4]).rows).toBe(0);
  });

  it('refuses shapes that its buffer cannot hold', () => {
    const { buffer } = tensor([10]);
    expect(() => new Tensor(buffer, [11])).toThrow(ShapeError);
    expect(() => new Tensor(buffer, [11])).toThrow(/shape \[11\].*needs 11 elements, buffer "made" has 10/);
    expect(() => new Tensor(buffer, [10], 1)).toThrow(/from element 1 .*needs 11 elements/);
    // The last row needs no more than its columns.
    expect(new Tensor(buffer, [2, 3], 1, 6).rows).toBe(2);
    expect(() => new Tensor(buffer, [2, 3], 2, 6)).toThrow(ShapeError);
  });

  describe('columns', () => {
    it('are a view with the stride of their origin', () => {
      const t = tensor([2, 3, 8]);
      const view = t.columns(2, 4);
      expect([view.shape, view.offset, view.rowStride, view.contiguous]).toEqual([[2, 3, 4], 2, 8, false]);
      expect(view.buffer).toBe(t.buffer);
      const inner = view.columns(1, 2);
      expect([inner.shape, inner.offset, inner.rowStride]).toEqual([[2, 3, 2], 3, 8]);
    });

    it('are contiguous when they are all, or begin a single row', () => {
      expect(tensor([3, 8]).columns(0, 8).contiguous).toBe(true);
      expect(tensor([3, 8]).columns(0, 4).contiguous).toBe(false);
      expect(tensor([1, 8]).columns(0, 4).contiguous).toBe(true);
      expect(tensor([1, 8]).columns(4, 4).contiguous).toBe(false);
    });

    it.each([
      [-1, 2],
      [7, 2],
      [0, 9],
      [2, -1],
    ])('from %i, %i of them, are not in eight', (start, length) => {
      expect(() => tensor([2, 8]).columns(start, length)).toThrow(/columns: .* outside the last dimension of \[2,8\]/);
    });
  });

  describe('reshape', () => {
    it('keeps the buffer', () => {
      const t = tensor([2, 6]);
      const r = t.reshape([3, 1, 4]);
      expect(r.shape).toEqual([3, 1, 4]);
      expect(r.buffer).toBe(t.buffer);
    });

    it('refuses other counts and views', () => {
      expect(() => tensor([2, 6]).reshape([13])).toThrow(/\[2,6\] \(contiguous\) cannot become \[13\]/);
      expect(() => tensor([2, 6]).columns(0, 3).reshape([6])).toThrow(/\[2,3\] \(a view\) cannot become \[6\]/);
    });
  });

  it('does not own its buffer', () => {
    const t = tensor([4]);
    t.buffer.dispose();
    expect(() => device.upload(t.buffer, new Float32Array(4))).toThrow(DisposedError);
  });
});

describe('requireShape and requireContiguous', () => {
  it('name the operation, the tensor, and both shapes', () => {
    const t = tensor([2, 3]);
    expect(() => requireShape('swiglu', 'up', t, [3, 2])).toThrow('swiglu: up must be [3,2], got [2,3]');
    expect(() => requireShape('swiglu', 'up', t, [2, 3, 1])).toThrow(ShapeError);
    expect(() => requireContiguous('norm', 'x', t.columns(1, 2))).toThrow(/norm: x must be contiguous.*copy it first/);
    requireShape('swiglu', 'up', t.columns(1, 2), [2, 2]);
    requireContiguous('norm', 'x', t, [2, 3]);
  });
});
