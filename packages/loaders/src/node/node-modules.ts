import { OptionError } from '@xlstm/device';

/**
 * Node's own modules, asked for when a function first needs them. Neither `import 'node:fs'` nor `import('node:fs')`
 * will do: bundlers for browsers resolve both ahead and fail, whereas this call is nothing to them.
 */
export function nodeModules(operation: string): {
  fs: typeof import('node:fs/promises');
  path: typeof import('node:path');
  crypto: typeof import('node:crypto');
  homedir: () => string;
  hostname: () => string;
} {
  const load = globalThis.process?.getBuiltinModule;
  if (!load) {
    throw new OptionError(
      `${operation}: paths need Node >= 20.19, this runtime has no file system; pass sources, such as blobSource(file, file.name)`,
    );
  }
  return {
    fs: load('node:fs/promises'),
    path: load('node:path'),
    crypto: load('node:crypto'),
    homedir: () => load('node:os').homedir(),
    hostname: () => load('node:os').hostname(),
  };
}
