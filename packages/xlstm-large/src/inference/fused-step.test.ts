import {
  Arena,
  createCpuDevice,
  createWebGpuDevice,
  type Device,
  isQuantizedDtype,
  type WeightDtype,
} from '@xlstm/device';
import { Scope } from '@xlstm/tensor';
import { compare } from '@xlstm-tooling/kernel-harness';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import { expect, it } from 'vitest';
import type { XLSTMLarge } from '../model.ts';
import { prefill } from '../prefill.ts';
import { randomModel, tinyConfig } from '../testing/random-model.ts';
import { queueFusedStep } from './fused-step.ts';

/** Steps of both, with the same tokens; the engine must give the model's logits and state after each. */
async function expectSame(device: Device, model: XLSTMLarge, batch: number, steps: number): Promise<void> {
  const { vocabSize } = model.config;
  const [expected, actual] = [model.createState(batch), model.createState(batch)];
  const arena = new Arena(device, 'test');
  const scope = new Scope(arena);
  const token = scope.tensor([batch], 'i32', 'token');
  const program = device.record(() => queueFusedStep(model, scope, token, actual));
  actual.position = 0;
  // Codes meet x as integers of 16 bits where the GPU multiplies bytes: 2^-16 a product, over three blocks.
  const integers = device.kind === 'webgpu' && isQuantizedDtype(model.weights.dtype) && batch === 1;
  const tolerance = integers
    ? { relativeRms: 3e-4, atol: 3e-3, rtol: 1e-3 }
    : { relativeRms: 2e-5, atol: 2e-4, rtol: 1e-4 };
  for (let step = 0; step < steps; step++) {
    const ids = Array.from({ length: batch }, (_, b) => (step * 7919 + b * 31 + 3) % vocabSize);
    await prefill(
      model,
      ids.map((id) => [id]),
      expected,
    );
    device.upload(token.buffer, Int32Array.from(ids));
    program.run();
    const [wanted, got] = await Promise.all([device.read(expected.logits), device.read(actual.logits)]);
    expect(compare(got as Float32Array, wanted as Float32Array, tolerance), `step ${step}`).toMatchObject({
      pass: true,
    });
  }
  for (const [block, buffer] of expected.blocks.entries()) {
    const [wanted, got] = await Promise.all([device.read(buffer), device.read(actual.blocks[block]!)]);
    expect(compare(got as Float32Array, wanted as Float32Array, tolerance), `block ${block}`).toMatchObject({
      pass: true,
    });
  }
  program.dispose();
  scope.dispose();
  arena.dispose();
  expected.dispose();
  actual.dispose();
}

const SIGMOID = { step_kernel: 'triton_siging' };
const LOW_CAPS = { gate_soft_cap: 0.5, output_logit_soft_cap: 0.7 };

await describeDevices('queueFusedStep', (device, kind) => {
  const cases: [string, WeightDtype, number, Record<string, unknown>][] = [
    ['bf16', 'bf16', 1, {}],
    ['q8', 'q8', 1, {}],
    ['q4, tied embeddings', 'q4', 1, { tie_word_embeddings: true }],
    ['fp16, no output norm, three heads', 'fp16', 1, { add_out_norm: false, hidden_size: 72, num_heads: 3 }],
    ['fp32, a sigmoid input gate, caps that bite', 'fp32', 1, { ...SIGMOID, ...LOW_CAPS }],
    ['a sigmoid input gate and biases, a batch of 2', 'fp32', 2, { ...SIGMOID, use_bias: true }],
  ];
  // A software adapter compiles for seconds: there what differs in kind, elsewhere more combinations.
  const more: typeof cases = [
    ['a batch of 8', 'q8', 8, {}],
    ['fp32', 'fp32', 1, {}],
    ['fp16', 'fp16', 1, {}],
    ['q4', 'q4', 1, {}],
    ['biases', 'bf16', 1, { use_bias: true }],
    ['a sigmoid input gate', 'bf16', 1, SIGMOID],
    ['caps that bite', 'fp32', 1, LOW_CAPS],
    ['a batch of 3', 'bf16', 3, {}],
  ];
  if (!device.info.software) cases.push(...more);
  for (const [name, dtype, batch, overrides] of cases) {
    it(`gives the logits and states of the model: ${name}`, async () => {
      const before = device.liveBuffers();
      const model = await randomModel(device, { config: tinyConfig(overrides), dtype });
      await expectSame(device, model, batch, kind === 'cpu' ? 32 : 3);
      model.dispose();
      expect(device.liveBuffers()).toEqual(before);
    });
  }

  const split: [WeightDtype, number, Record<string, unknown>][] = [
    ['fp32', 2, { use_bias: true }],
    ['q8', 1, {}],
  ];
  it.each(split)(
    'gives them from matrices in parts, where bindings are small: %s, batch %d, %j',
    async (dtype, batch, more) => {
      const most = dtype === 'fp32' ? 12_288 : 5120;
      const small = await deviceThatBinds(kind, most);
      const model = await randomModel(small, { config: tinyConfig(more), dtype });
      for (const name of ['blocks.0.qkvo', 'blocks.0.gateUp', 'head'] as const) {
        expect(model.weights.matrix(name).parts.length, name).toBeGreaterThan(1);
      }
      await expectSame(small, model, batch, 3);
      model.dispose();
      expect(small.liveBuffers().count).toBe(0);
      small.dispose();
    },
  );
});

/** A device of its own, none of whose buffers holds more than so many bytes. */
async function deviceThatBinds(kind: Device['kind'], bytes: number): Promise<Device> {
  if (kind === 'webgpu') {
    return createWebGpuDevice({ limits: { maxStorageBufferBindingSize: bytes, maxBufferSize: bytes } });
  }
  const device = createCpuDevice();
  Object.defineProperty(device, 'maxBufferBytes', { value: bytes });
  return device;
}
