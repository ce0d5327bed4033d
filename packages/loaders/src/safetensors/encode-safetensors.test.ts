import { CheckpointError, DtypeError, ShapeError } from '@xlstm/device';
import { expect, it } from 'vitest';
import { encodeSafetensors, type NamedTensor } from './encode-safetensors.ts';
import type { SafetensorsDtype } from './safetensors-dtype.ts';

const w: NamedTensor = { name: 'w', dtype: 'F32', shape: [2], data: new Float32Array([1, -2]) };

it('writes length, padded header and data as the format says', () => {
  const half: NamedTensor = { name: 'a', dtype: 'BF16', shape: [1, 1], data: new Uint16Array([0x3f80]) };
  const bytes = encodeSafetensors([half, w], { metadata: { format: 'pt' } });
  const header =
    '{"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"BF16","shape":[1,1],"data_offsets":[8,10]}}';
  const padded = header.padEnd(Math.ceil(header.length / 8) * 8, ' ');
  expect(new DataView(bytes.buffer).getBigUint64(0, true)).toBe(BigInt(padded.length));
  expect(new TextDecoder().decode(bytes.subarray(8, 8 + padded.length))).toBe(padded);
  expect([...bytes.subarray(8 + padded.length)]).toEqual([0, 0, 128, 63, 0, 0, 0, 192, 128, 63]);
});

it('writes only the viewed part of a larger buffer', () => {
  const view = new Float32Array([9, 1, -2, 9]).subarray(1, 3);
  expect(encodeSafetensors([{ ...w, data: view }])).toEqual(encodeSafetensors([w]));
});

it('refuses what the reader would refuse', () => {
  expect(() => encodeSafetensors([w, w])).toThrow(/"w" twice/);
  expect(() => encodeSafetensors([{ ...w, name: '__metadata__' }])).toThrow(CheckpointError);
  expect(() => encodeSafetensors([{ ...w, name: '\ud800' }])).toThrow(CheckpointError);
  expect(() => encodeSafetensors([{ ...w, shape: [3] }])).toThrow(ShapeError);
  expect(() => encodeSafetensors([{ ...w, shape: [-1, -2] }])).toThrow(ShapeError);
  expect(() => encodeSafetensors([{ ...w, dtype: 'F31' as SafetensorsDtype }])).toThrow(DtypeError);
  expect(() => encodeSafetensors([w], { metadata: { n: 1 as unknown as string } })).toThrow(CheckpointError);
});
