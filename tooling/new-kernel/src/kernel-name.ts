/** The command line or the name cannot be used; the message is for the user and needs no stack. */
export class NewKernelError extends Error {
  override name = 'NewKernelError';
}

/** A kernel's name in the three places where it stands. */
export interface KernelName {
  /** `rms-norm`: the folder. */
  kebab: string;
  /** `rms_norm`: the kernel's id and the entry point of its shaders. */
  snake: string;
  /** `rmsNorm`: the function. */
  camel: string;
}

/** What cannot be a function in TypeScript or WGSL, and what the new folder's files already call something. */
const TAKEN = new Set(
  `alias as async await break case catch class const const_assert continue continuing default delete diagnostic
  discard do else enable enum export extends false finally fn for function if implements import in instanceof
  interface let loop new null override package private protected public requires return static struct super switch
  this throw true try typeof undefined var void while with yield
  array f32 i32 u32 vec3 bool atomic
  arguments bindings code eval group groups index kernel params scope shape spec spread thread`.split(/\s+/),
);

/**
 * Checks a kernel's name.
 * @throws NewKernelError for anything but lower-case words joined by `-`, and for words that the languages keep.
 */
export function parseKernelName(name: string): KernelName {
  if (!/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name)) {
    throw new NewKernelError(
      `new-kernel: a name is lower-case words and digits joined by "-", such as rms-norm, got "${name}"`,
    );
  }
  if (TAKEN.has(name) || name.length < 2) {
    throw new NewKernelError(`new-kernel: "${name}" already means something in a kernel's files; add a word to it`);
  }
  if (name.length > 60) throw new NewKernelError(`new-kernel: "${name}" is longer than 60 characters; shorten it`);
  return {
    kebab: name,
    snake: name.replaceAll('-', '_'),
    camel: name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase()),
  };
}
