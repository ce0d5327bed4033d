import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { CheckpointError, createCpuDevice, OptionError } from '@xlstm/device';
import { describe, expect, it } from 'vitest';
import { fromPretrained } from './from-pretrained.ts';
import { checkpointBlobs, type NamedBlob } from './picked-files.ts';

const STORIES = resolve(import.meta.dirname, '../../../apps/cli/models/stories');

function picked(path: string, content: string | Buffer = ''): NamedBlob {
  const file = new File([content], path.slice(path.lastIndexOf('/') + 1));
  return Object.defineProperty(file, 'webkitRelativePath', { value: path.includes('/') ? path : '' }) as NamedBlob;
}
const names = (...paths: string[]) => checkpointBlobs(paths.map((path) => picked(path))).map(({ name }) => name);

describe('picked files', () => {
  it('are taken as they are when picked one by one', () => {
    expect(names('config.json', 'model.safetensors', '.DS_Store')).toHaveLength(3);
  });

  it('of a folder are those beside its config', () => {
    expect(names('m/config.json', 'm/model.safetensors', 'm/onnx/config.json', 'm/onnx/model.onnx')).toEqual([
      'config.json',
      'model.safetensors',
    ]);
    expect(names('all/read.me', 'all/m/config.yaml', 'all/m/model_0.safetensors')).toEqual([
      'config.yaml',
      'model_0.safetensors',
    ]);
  });

  it('of two checkpoints are refused, and so is what is no file', () => {
    expect(() => names('all/a/config.json', 'all/b/config.json')).toThrow(CheckpointError);
    expect(() => checkpointBlobs([new Blob([])] as never)).toThrow(OptionError);
    expect(() => checkpointBlobs(['config.json'] as never)).toThrow(/expected files with names/);
  });

  it('become a model that generates what the folder generates, and nothing else does', async () => {
    const files = readdirSync(STORIES).map((name) => picked(`stories/${name}`, readFileSync(join(STORIES, name))));
    const device = createCpuDevice();
    const list = Object.assign({ length: files.length }, files) as ArrayLike<NamedBlob>;
    const ids: (readonly number[])[] = [];
    for (const source of [files, list, new Set(files), STORIES]) {
      const model = await fromPretrained(source, { device });
      ids.push((await model.generate('Once upon', { maxNewTokens: 4, temperature: 0 }).result()).tokenIds);
      await model.dispose();
    }
    expect(ids).toEqual(ids.map(() => ids.at(-1)));
    await expect(fromPretrained(files.slice(1), { device })).rejects.toThrow(CheckpointError);
    await expect(fromPretrained(7 as never, { device })).rejects.toThrow(OptionError);
    expect(device.liveBuffers().count).toBe(0);
  });
});
