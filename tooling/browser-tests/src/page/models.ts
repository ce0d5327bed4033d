import type { Device } from '@xlstm/device';
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
  const model = await fromPretrained(checkpoint, { device });
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
