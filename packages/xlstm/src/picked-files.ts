import { CheckpointError, OptionError } from '@xlstm/device';

/** A file that someone picked or dropped: a browser's `File`, or any Blob with a name. */
export interface NamedBlob extends Blob {
  readonly name: string;
  /** Where the file lies below the folder that was picked; empty when files were picked one by one. */
  readonly webkitRelativePath?: string;
}

/** Files as a page has them: an array, a `FileList`, a generator. */
export type PickedFiles = Iterable<NamedBlob> | ArrayLike<NamedBlob>;

/** A file of a checkpoint: its plain name, and its bytes. */
export interface CheckpointBlob {
  name: string;
  blob: Blob;
}

const CONFIGS = ['config.json', 'config.yaml'];

function folderOf({ webkitRelativePath }: NamedBlob): string {
  return webkitRelativePath?.includes('/') ? webkitRelativePath.slice(0, webkitRelativePath.lastIndexOf('/')) : '';
}

/** Of all folders with a config, the outermost. A picked folder may hold others beside the checkpoint's own files. */
function checkpointFolder(files: readonly NamedBlob[]): string | undefined {
  const depth = (folder: string): number => folder.split('/').length;
  const folders = [...new Set(files.filter(({ name }) => CONFIGS.includes(name)).map(folderOf))];
  const [first, second] = folders.sort((a, b) => depth(a) - depth(b));
  if (first !== undefined && second !== undefined && depth(first) === depth(second)) {
    throw new CheckpointError(
      `fromPretrained: the picked files hold several checkpoints, in ${first} and ${second}; pick one of these folders`,
    );
  }
  return first;
}

/** Whether something is a list of files, and not, say, an open checkpoint. */
export function isPickedFiles(source: object): source is PickedFiles {
  return Symbol.iterator in source || 'length' in source;
}

/**
 * The files of one checkpoint among those that were picked. From a folder with subfolders, those beside its config.
 *
 * @throws OptionError when something in the list is no file with a name; CheckpointError for several checkpoints
 */
export function checkpointBlobs(picked: PickedFiles): CheckpointBlob[] {
  const files = Array.from(picked as ArrayLike<NamedBlob>);
  for (const file of files) {
    if (!(file instanceof Blob) || typeof file.name !== 'string' || file.name === '') {
      throw new OptionError(
        "fromPretrained: expected files with names, such as an <input>'s files; wrap a Blob as new File([blob], 'config.json')",
      );
    }
  }
  const folder = checkpointFolder(files);
  const own = folder === undefined ? files : files.filter((file) => folderOf(file) === folder);
  return own.map((file) => ({ name: file.name, blob: file }));
}
