import { type ByteSource, type Checkpoint, openCheckpoint } from '@xlstm/loaders';
import type { CaseFiles } from './golden-case.ts';

const FOLDER = 'checkpoint/';

/** Whether a case has a checkpoint beside its tensors. */
export function hasCheckpoint({ names }: CaseFiles): boolean {
  return names.some((name) => name.startsWith(FOLDER));
}

/** Opens the checkpoint of a case; closing it closes its files. @throws CheckpointError when it is none */
export async function openCaseCheckpoint(files: CaseFiles): Promise<Checkpoint> {
  const opened = new Map<string, Promise<ByteSource>>();
  return openCheckpoint({
    place: `the case's ${FOLDER}`,
    names: files.names.filter((name) => name.startsWith(FOLDER)).map((name) => name.slice(FOLDER.length)),
    open(name) {
      const source = opened.get(name) ?? files.open(FOLDER + name);
      opened.set(name, source);
      return source;
    },
    async close() {
      const settled = await Promise.allSettled(opened.values());
      opened.clear();
      for (const result of settled) if (result.status === 'fulfilled') await result.value.close();
    },
  });
}
