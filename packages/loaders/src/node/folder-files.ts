import { CheckpointError } from '@xlstm/device';
import { type CheckpointFiles, ownedFiles } from '../checkpoint/checkpoint-files.ts';
import { reason } from '../transfer/reason.ts';
import { fileSource } from './file-source.ts';
import { nodeModules } from './node-modules.ts';

/** The files of a folder on disk (Node only), each opened when it is first asked for. */
export async function folderFiles(folder: string): Promise<CheckpointFiles> {
  const { fs, path } = nodeModules('openCheckpoint');
  let names: string[];
  try {
    names = await fs.readdir(folder);
  } catch (error) {
    throw new CheckpointError(
      `openCheckpoint: cannot list the folder ${folder}: ${reason(error)}; name a folder that holds a checkpoint`,
      { cause: error },
    );
  }
  return ownedFiles(folder, names, (name) => fileSource(path.join(folder, name)));
}
