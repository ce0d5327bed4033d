import { OptionError } from '@xlstm/device';

const plain = (path: string): string => path.toLowerCase().replaceAll('-', '_');

/** `packages/tensor/src/kernels/rms-norm/kernel.bench.ts` is tensor/rms-norm. */
function shortName(path: string): string {
  return path
    .replace(/^packages\//, '')
    .replace('/src/', '/')
    .replace('/kernels/', '/')
    .replace(/(\/kernel)?\.bench\.ts$/, '');
}

/**
 * The items whose path contains the filter; case and the difference of `-` and `_` do not count.
 * @throws OptionError when there is none.
 */
export function matching<T>(items: readonly T[], filter: string | undefined, pathOf: (item: T) => string): T[] {
  const found = items.filter((item) => filter === undefined || plain(pathOf(item)).includes(plain(filter)));
  if (found.length > 0) return found;
  const known = items.map((item) => shortName(pathOf(item))).join(', ');
  throw new OptionError(
    `bench: ${filter === undefined ? 'no bench was found' : `no bench matches "${filter}"`}; there are: ${known || 'none'}`,
  );
}
