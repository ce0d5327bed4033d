import { createWebGpuDevice, type Device, type WeightDtype } from '@xlstm/device';
import { blobSource, openCheckpoint } from '@xlstm/loaders';
import { generateTokens, type XLSTMLarge } from '@xlstm/xlstm-large';
import { fromPretrained } from 'xlstm';

/** Generates greedily, without end. */
export async function greedyIds(
  model: XLSTMLarge,
  promptIds: readonly number[],
  maxNewTokens: number,
): Promise<number[]> {
  const ids: number[] = [];
  const options = { promptIds, maxNewTokens, temperature: 0, eosTokenIds: [] };
  for await (const { id } of generateTokens(model, options)) ids.push(id);
  return ids;
}

/** What a checkpoint said when it was loaded from the network as Blobs. */
export interface StoryFacts {
  promptIds: readonly number[];
  tokenIds: readonly number[];
  text: string;
  /** GPU buffers that outlived the model. */
  leftBuffers: number;
}

/** Fetches a checkpoint's files as Blobs, loads it through the façade and continues a prompt greedily. */
export async function tellStory(
  device: Device,
  urls: readonly string[],
  prompt: string,
  maxNewTokens: number,
  dtype?: WeightDtype,
): Promise<StoryFacts> {
  const before = device.liveBuffers().count;
  const sources = await Promise.all(
    urls.map(async (url) => {
      const response = await fetch(url);
      if (!response.ok) throw new Error(`fetch ${url}: ${response.status}`);
      return blobSource(await response.blob(), url.slice(url.lastIndexOf('/') + 1));
    }),
  );
  const checkpoint = await openCheckpoint(sources);
  const model = await fromPretrained(checkpoint, { device, ...(dtype ? { dtype } : {}) });
  try {
    const { promptIds, tokenIds, text } = await model
      .generate(prompt, { maxNewTokens, temperature: 0, eosTokenIds: [] })
      .result();
    await model.dispose();
    return { promptIds, tokenIds, text, leftBuffers: device.liveBuffers().count - before };
  } finally {
    await checkpoint.close();
  }
}

/** What came of a story on a device that has no more than WebGPU guarantees. */
export interface SmallStoryFacts {
  maxBufferBytes: number;
  stories: Record<'fp32' | 'bf16' | 'q4', StoryFacts>;
  /** Shaders that were compiled while everything else waited, and ahead. */
  blocking: number;
  ahead: number;
}

/** Tells a story in each dtype within WebGPU's default limits, and counts how shaders were compiled. */
export async function tellSmallStory(
  urls: readonly string[],
  prompt: string,
  maxNewTokens: number,
): Promise<SmallStoryFacts> {
  const limits = { maxStorageBufferBindingSize: 2 ** 27, maxBufferSize: 2 ** 28, maxStorageBuffersPerShaderStage: 8 };
  const device = await createWebGpuDevice({ limits });
  const { gpu } = device;
  let blocking = 0;
  let ahead = 0;
  const compile = gpu.createComputePipeline.bind(gpu);
  const compileAhead = gpu.createComputePipelineAsync.bind(gpu);
  gpu.createComputePipeline = (descriptor) => {
    blocking++;
    return compile(descriptor);
  };
  gpu.createComputePipelineAsync = (descriptor) => {
    ahead++;
    return compileAhead(descriptor);
  };
  const tell = (dtype: WeightDtype) => tellStory(device, urls, prompt, maxNewTokens, dtype);
  // q4 has its embedding in q8.
  const stories = { fp32: await tell('fp32'), bf16: await tell('bf16'), q4: await tell('q4') };
  const { maxBufferBytes } = device;
  device.dispose();
  return { maxBufferBytes, stories, blocking, ahead };
}
