import { createWebGpuDevice } from '@xlstm/device';
import { describeDevices } from '@xlstm-tooling/kernel-harness/test';
import { expect, it, vi } from 'vitest';
import { generateTokens } from './generate.ts';
import type { XLSTMLarge } from './model.ts';
import { prepareGeneration } from './prepare-generation.ts';
import { randomModel } from './testing/random-model.ts';

async function generate(model: XLSTMLarge, promptLength: number): Promise<number[]> {
  const promptIds = Array.from({ length: promptLength }, (_, at) => (7 * at) % 90);
  const options = { promptIds, maxNewTokens: 3, eosTokenIds: [], seed: 3, temperature: 0.9, topK: 20 };
  const ids: number[] = [];
  for await (const { id } of generateTokens(model, { ...options, repetitionPenalty: 1.1 })) ids.push(id);
  return ids;
}

await describeDevices('the shaders of a generation', () => {
  it('are compiled ahead, once for all models of a shape, and never while a token is waited for', async () => {
    const device = await createWebGpuDevice();
    const blocking = vi.spyOn(device.gpu, 'createComputePipeline');
    const first = await randomModel(device);
    // Longer and shorter than a chunk of the cell, one token, and two pieces.
    const lengths = [70, 5, 1, 515];
    const ids = [];
    for (const length of lengths) ids.push(await generate(first, length));
    expect(blocking).not.toHaveBeenCalled();
    const compiled = device.compiledPipelines;
    expect(compiled).toBeGreaterThan(10);

    const second = await randomModel(device);
    for (const [at, length] of lengths.entries()) expect(await generate(second, length)).toEqual(ids[at]);
    expect(device.compiledPipelines).toBe(compiled);
    first.dispose();
    second.dispose();
    expect(device.liveBuffers().count).toBe(0);
    device.dispose();
  });

  it('leave the state alone, and an abort leaves nothing behind', async () => {
    const device = await createWebGpuDevice();
    const model = await randomModel(device);
    const state = model.createState();
    const before = device.liveBuffers();
    const abort = new AbortController();
    const preparing = prepareGeneration(model, state, { promptLength: 9, sampling: {}, signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(preparing).rejects.toThrow('enough');
    expect(device.liveBuffers()).toEqual(before);
    await prepareGeneration(model, state, { promptLength: 9, sampling: {} });
    expect(state.position).toBe(0);
    expect(new Set(await device.read(state.blocks[0]!))).toEqual(new Set([0]));
    model.dispose();
    device.dispose();
  });
}, ['webgpu']);
