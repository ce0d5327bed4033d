import { createCpuDevice, StateError } from '@xlstm/device';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { generateTokens } from './generate.ts';
import { XLSTMLarge } from './model.ts';
import type { XlstmState } from './state.ts';
import { exportState, importState } from './state-bytes.ts';
import { readStateHeader } from './state-format.ts';
import { randomModel, randomWeights, tinyConfig } from './testing/random-model.ts';
import type { WeightPiece, WeightSource } from './weight-source.ts';

async function generate(model: XLSTMLarge, state: XlstmState, promptIds: number[], count: number): Promise<number[]> {
  const ids: number[] = [];
  const options = { promptIds, state, maxNewTokens: count, temperature: 0, eosTokenIds: [] };
  for await (const { id } of generateTokens(model, options)) ids.push(id);
  return ids;
}

await describeDevices('saved states', (device) => {
  it('go on elsewhere, token for token', async () => {
    const [model, elsewhere] = [await randomModel(device), await randomModel(createCpuDevice())];
    const state = model.createState();
    await generate(model, state, [0, 5, 9], 5);
    const bytes = await state.export();
    expect(await exportState(model, state)).toEqual(bytes);
    expect(readStateHeader(bytes).header).toMatchObject({ position: 8, batch: 1, model: model.fingerprint });
    const restored = importState(elsewhere, bytes);
    expect(restored.position).toBe(8);
    expect(await generate(elsewhere, restored, [], 10)).toEqual(await generate(model, state, [], 10));
    state.dispose();
    restored.dispose();
    model.dispose();
    elsewhere.dispose();
  });
});

describe('importState', async () => {
  const device = createCpuDevice();
  const model = await randomModel(device);
  const state = model.createState();
  await generate(model, state, [0, 7], 3);
  const bytes = await exportState(model, state);
  const changed = (at: number, value: number) => {
    const copy = bytes.slice();
    copy[at] = value;
    return copy;
  };
  const withHeader = (change: Record<string, unknown>) => {
    const { header, payloadOffset } = readStateHeader(bytes);
    const json = JSON.stringify({ ...header, ...change });
    const text = new TextEncoder().encode(json.padEnd(Math.ceil(json.length / 8) * 8));
    const result = new Uint8Array(16 + text.length + bytes.length - payloadOffset);
    result.set(bytes.subarray(0, 16));
    new DataView(result.buffer).setUint32(12, text.length, true);
    result.set(text, 16);
    result.set(bytes.subarray(payloadOffset), 16 + text.length);
    return result;
  };

  it('takes a Node Buffer at any offset', () => {
    const buffer = Buffer.alloc(bytes.length + 3);
    buffer.set(bytes, 3);
    const restored = importState(model, buffer.subarray(3));
    expect(restored.position).toBe(state.position);
    restored.dispose();
  });

  it('knows a model by its weights, whatever dtype they are loaded in', async () => {
    const prints = new Set<string>();
    for (const dtype of ['fp32', 'bf16', 'fp16'] as const) {
      const other = await randomModel(device, { dtype });
      prints.add(other.fingerprint);
      importState(other, bytes).dispose();
      other.dispose();
    }
    expect(prints.size).toBe(1);
    const seeds = await randomModel(device, { seed: 2 });
    expect(() => importState(seeds, bytes)).toThrow(/the state is of model [0-9a-f]{16}, this model is [0-9a-f]{16}/);
    const shapes = await randomModel(device, { config: tinyConfig({ num_hidden_layers: 1 }) });
    expect(() => importState(shapes, bytes)).toThrow(StateError);
    seeds.dispose();
    shapes.dispose();
  });

  it('tells a fine-tune of one bias or one norm from the model', async () => {
    const weights = randomWeights(tinyConfig());
    for (const tuned of ['backbone.blocks.1.mlstm_layer.fgate_preact.bias', 'backbone.out_norm.weight']) {
      const source: WeightSource = {
        ...weights,
        *stream(name, dtype) {
          for (const { elementOffset, data } of weights.stream(name, dtype) as Iterable<WeightPiece>) {
            yield { elementOffset, data: name === tuned ? data.map((value) => value * 1.01) : data };
          }
        },
      };
      const other = await XLSTMLarge.load(device, tinyConfig(), source, { dtype: 'bf16' });
      expect(() => importState(other, bytes)).toThrow(/the state is of model [0-9a-f]{16}, this model is/);
      await expect(exportState(other, state)).rejects.toThrow(/exportState: the state is of model/);
      other.dispose();
    }
  });

  it('refuses a second operation on a state that is being saved', async () => {
    const saving = state.export();
    await expect(state.export()).rejects.toThrow(/state.export: the state is in use by state.export/);
    await saving;
  });

  it.each([
    ['no state', new Uint8Array(100), /do not begin with XLSTMSTA/],
    ['null', null as unknown as Uint8Array, /expected the bytes of a saved state \(a Uint8Array\), got null/],
    ['nothing', new Uint8Array(0), /do not begin with XLSTMSTA/],
    ['an earlier version', changed(8, 1), /version 1 is not supported, expected 2; an earlier release saved it/],
    ['a later version', changed(8, 3), /version 3 is not supported.* a later release saved it/],
    ['a huge header length', changed(15, 0xff), /does not fit/],
    ['a header that is no JSON', changed(16, 0x5b), /not JSON/],
    ['another dtype', withHeader({ dtype: 'fp16' }), /dtype is fp16/],
    ['a truncated payload', bytes.slice(0, -4), /cut short/],
    ['a truncated header', bytes.slice(0, 40), /does not fit/],
    ['a tail', new Uint8Array([...bytes, 0, 0, 0, 0]), /too long/],
    ['a changed payload', changed(bytes.length - 9, bytes[bytes.length - 9]! ^ 1), /checksum does not match/],
    ['a batch that would need much memory', withHeader({ batch: 2 ** 40 }), /expected \d+ bytes after the header/],
    ['a negative position', withHeader({ position: -1 }), /position must be a positive integer/],
    ['a model that is no text', withHeader({ model: 7 }), /model must be a text/],
    ['other sizes', withHeader({ numHeads: 4 }), /numHeads is 4, this model has 2/],
  ])('refuses %s and allocates nothing', (_, blob, message) => {
    const before = device.liveBuffers();
    expect(() => importState(model, blob)).toThrow(StateError);
    expect(() => importState(model, blob)).toThrow(message);
    expect(device.liveBuffers()).toEqual(before);
  });

  it('never crashes on random and mutated bytes', () => {
    const before = device.liveBuffers();
    const mutate = fc.tuple(fc.nat(bytes.length - 1), fc.nat(255), fc.nat(bytes.length));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), mutate), (input) => {
        const blob = input instanceof Uint8Array ? input : changed(input[0], input[1]).subarray(0, input[2]);
        try {
          importState(model, blob).dispose();
        } catch (error) {
          expect(error).toBeInstanceOf(StateError);
        }
      }),
      { numRuns: Number(process.env.XLSTM_FUZZ_RUNS ?? 2000) },
    );
    expect(device.liveBuffers()).toEqual(before);
  });
});
