import type { ByteSource } from '../byte-source/byte-source.ts';
import { openHttpSource } from '../byte-source/http-source.ts';
import { type CheckpointFiles, lentFiles, ownedFiles } from '../checkpoint/checkpoint-files.ts';
import { INDEX_FILE, readWeightMap, SINGLE_FILE } from '../checkpoint/huggingface-layout.ts';
import { NATIVE_CONFIG } from '../checkpoint/native-layout.ts';
import type { Connection } from '../transfer/request.ts';
import { TransferError } from '../transfer/transfer-error.ts';
import { COMPANIONS } from './model-files.ts';

/** Small files are read whole where the server knows no ranges; weights are not. */
const WHOLE_BYTES = 32 * 1024 * 1024;

/** A checkpoint read over the network by ranges; nothing is kept. */
export function remoteFiles(
  place: string,
  names: readonly string[],
  urlOf: (name: string) => string,
  connection: Connection,
  signal: AbortSignal | undefined,
): CheckpointFiles {
  return ownedFiles(place, names, (name) => openHttpSource(urlOf(name), name, connection, WHOLE_BYTES, signal));
}

/**
 * The checkpoint below a web address. A plain web server lists nothing, so the names that a checkpoint may have are
 * asked for one by one.
 */
export async function webFolder(
  url: URL,
  connection: Connection,
  signal: AbortSignal | undefined,
): Promise<CheckpointFiles> {
  const base = new URL(url);
  if (!base.pathname.endsWith('/')) base.pathname += '/';
  const place = `${base.origin}${base.pathname}`;
  const urlOf = (name: string): string => {
    const at = new URL(base);
    at.pathname += encodeURIComponent(name);
    return at.href;
  };
  const found = new Map<string, ByteSource>();
  const probe = async (name: string): Promise<boolean> => {
    try {
      found.set(name, await openHttpSource(urlOf(name), name, connection, WHOLE_BYTES, signal));
      return true;
    } catch (error) {
      // Static hosts answer 403 for what is not there when they may not list either.
      if (error instanceof TransferError && (error.code === 'not-found' || error.code === 'unauthorized')) return false;
      throw error;
    }
  };
  if (await probe('config.json')) {
    if (!(await probe(SINGLE_FILE)) && (await probe(INDEX_FILE))) {
      const index = lentFiles([...found.values()]);
      for (const shard of new Set((await readWeightMap(index, signal)).values())) await probe(shard);
    }
  } else if (await probe(NATIVE_CONFIG)) {
    for (let number = 0; await probe(`model_${number}.safetensors`); number++);
  }
  if (found.size === 0) {
    throw new TransferError(
      'not-found',
      `resolveModel: ${place} has neither config.json nor ${NATIVE_CONFIG}; pass the address of a folder that holds a checkpoint, or a hub id`,
    );
  }
  for (const name of COMPANIONS) await probe(name);
  return ownedFiles(place, [...found.keys()], async (name) => {
    const source = found.get(name);
    if (!source) throw new TransferError('not-found', `resolveModel: ${place} has no ${name}`);
    return source;
  });
}
