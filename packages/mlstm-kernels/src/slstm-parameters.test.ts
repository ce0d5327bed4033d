import { ShapeError } from '@xlstm/device';
import { describe, expect, it } from 'vitest';
import { slstmCudaParameters, slstmPlainParameters, slstmRecurrentLayout } from './slstm-parameters.ts';

const SHAPE = { NH: 2, DH: 3 };

describe('sLSTM parameters', () => {
  it('are told apart by the shape of the recurrent weights', () => {
    expect(slstmRecurrentLayout([2, 12, 3])).toBe('plain');
    expect(slstmRecurrentLayout([2, 3, 12])).toBe('cuda');
    expect(slstmRecurrentLayout([1, 4, 1])).toBe('plain');
    for (const wrong of [[2, 3, 3], [12, 3], [2, 3, 4, 3], [2, 0, 0], []]) {
      expect(() => slstmRecurrentLayout(wrong)).toThrow(ShapeError);
    }
  });

  it('move between layouts element by element', () => {
    const weight = (head: number, gate: number, out: number, input: number) =>
      1000 * head + 100 * gate + 10 * out + input;
    const plain = { recurrent: new Float32Array(72), bias: new Float32Array(24) };
    const cuda = { recurrent: new Float32Array(72), bias: new Float32Array(24) };
    let place = 0;
    for (let head = 0; head < 2; head++)
      for (let gate = 0; gate < 4; gate++)
        for (let out = 0; out < 3; out++)
          for (let input = 0; input < 3; input++) plain.recurrent[place++] = weight(head, gate, out, input);
    place = 0;
    for (let head = 0; head < 2; head++)
      for (let input = 0; input < 3; input++)
        for (let gate = 0; gate < 4; gate++)
          for (let out = 0; out < 3; out++) cuda.recurrent[place++] = weight(head, gate, out, input);
    place = 0;
    for (let gate = 0; gate < 4; gate++)
      for (let head = 0; head < 2; head++)
        for (let out = 0; out < 3; out++) plain.bias[place++] = weight(head, gate, out, 0);
    place = 0;
    for (let head = 0; head < 2; head++)
      for (let gate = 0; gate < 4; gate++)
        for (let out = 0; out < 3; out++) cuda.bias[place++] = weight(head, gate, out, 0);
    expect(slstmPlainParameters(SHAPE, cuda)).toEqual(plain);
    expect(slstmCudaParameters(SHAPE, plain)).toEqual(cuda);
    expect(() => slstmPlainParameters({ NH: 2, DH: 4 }, cuda)).toThrow(/recurrent must have 128 elements/);
  });
});
