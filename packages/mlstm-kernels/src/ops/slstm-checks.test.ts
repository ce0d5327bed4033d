import { Arena, type DeviceBuffer, DtypeError, OptionError, ShapeError } from '@xlstm/device';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import { expect, it } from 'vitest';
import { headMajor } from '../layout.ts';
import { slstmInputLayout } from '../slstm-layout.ts';
import type { SlstmBackwardOptions, SlstmOptions } from '../slstm-options.ts';
import { slstmSavedLength, slstmStateLength } from '../slstm-shape.ts';
import { slstm } from './slstm.ts';
import { slstmBackward } from './slstm-backward.ts';

const SHAPE = { B: 2, S: 3, NH: 2, DH: 4 };

await describeDevices('sLSTM on buffers', (device) => {
  function withBuffers(body: (arena: Arena, buffers: ReturnType<typeof buffersOf>) => void): void {
    const arena = new Arena(device);
    try {
      body(arena, buffersOf(arena));
    } finally {
      arena.dispose();
    }
  }

  function buffersOf(arena: Arena) {
    const { B, S, NH, DH } = SHAPE;
    const floats = (length: number): DeviceBuffer => arena.alloc('fp32', length);
    const x = { buffer: floats(B * S * 4 * NH * DH), layout: slstmInputLayout(SHAPE) };
    const y = { buffer: floats(B * S * NH * DH), layout: headMajor(SHAPE, DH) };
    const recurrent = floats(4 * NH * DH * DH);
    const bias = floats(4 * NH * DH);
    const state = floats(slstmStateLength(SHAPE));
    const saved = floats(slstmSavedLength(SHAPE));
    const dy = { buffer: floats(B * S * NH * DH), layout: headMajor(SHAPE, DH) };
    return { inputs: { x, recurrent, bias, state, y, saved }, given: { recurrent, saved, y, dy } };
  }

  it('refuses sizes, lengths and layouts that do not fit, and says which', () => {
    withBuffers((arena, { inputs, given }) => {
      const call = (change: Partial<typeof inputs>, shape = SHAPE) => slstm(arena, shape, { ...inputs, ...change });
      expect(() => call({}, { ...SHAPE, DH: 0 })).toThrow(/slstm: DH must be a positive integer, got 0/);
      expect(() => call({}, { ...SHAPE, S: 4 })).toThrow(ShapeError);
      expect(() => call({ recurrent: inputs.bias })).toThrow(/recurrent must have 128 elements.*got 32/);
      expect(() => call({ bias: inputs.recurrent })).toThrow(/bias must have 32 elements/);
      expect(() => call({ state: inputs.bias })).toThrow(/state must have 64 elements/);
      expect(() => call({ saved: inputs.bias })).toThrow(/saved must have/);
      const shifted = { ...inputs.x, layout: { ...inputs.x.layout, offset: 1 } };
      expect(() => call({ x: shifted })).toThrow(/x reaches element 193 .* has 192/);
      const overlapping = { ...inputs.y, layout: { ...inputs.y.layout, step: 3 } };
      expect(() => call({ y: overlapping })).toThrow(/rows of y overlap/);
      const negative = { ...inputs.x, layout: { ...inputs.x.layout, gate: -1 } };
      expect(() => call({ x: negative })).toThrow(/layout.gate of x must be a non-negative integer/);
      expect(() => call({ bias: arena.alloc('fp16', 32) })).toThrow(DtypeError);
      const back = (gradients: Parameters<typeof slstmBackward>[3], change = {}) =>
        slstmBackward(arena, SHAPE, { ...given, ...change }, gradients);
      expect(() => back({ recurrent: { buffer: inputs.bias } })).toThrow(/the gradient of recurrent must have 128/);
      expect(() => back({ state: { buffer: inputs.bias } })).toThrow(/the gradient of state must have 64/);
      expect(() => back({}, { dlast: inputs.bias })).toThrow(/dlast must have 64/);
      expect(() => back({ z: {} } as object)).toThrow(/no gradient of z/);
    });
  });

  it('refuses buffers that are written and bound twice', () => {
    withBuffers((arena, { inputs, given }) => {
      const shared = { ...inputs, y: { ...inputs.y, buffer: inputs.x.buffer } };
      expect(() => slstm(arena, SHAPE, shared)).toThrow(/x and y, which is written, share/);
      const target = { buffer: inputs.recurrent };
      expect(() => slstmBackward(arena, SHAPE, given, { recurrent: target })).toThrow(OptionError);
      const dlast = arena.alloc('fp32', 64);
      slstmBackward(arena, SHAPE, { ...given, dlast }, { state: { buffer: dlast } });
    });
  });

  it('refuses options that it does not know or that make no sense', () => {
    withBuffers((arena, { inputs, given }) => {
      const forward = (options: object) => () => slstm(arena, SHAPE, inputs, options as SlstmOptions);
      const backward = (options: object) => () =>
        slstmBackward(arena, SHAPE, given, {}, options as SlstmBackwardOptions);
      expect(forward({ gradientRecurrentCut: true })).toThrow(/no option is called gradientRecurrentCut/);
      expect(backward({ clip: 1 })).toThrow(OptionError);
      for (const value of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, '1', null]) {
        expect(forward({ forwardClip: value })).toThrow(/forwardClip must be a finite number > 0/);
        expect(backward({ gradientRecurrentClip: value })).toThrow(OptionError);
      }
      expect(backward({ gradientRecurrentCut: 1 })).toThrow(/must be true or false/);
    });
  });
});
