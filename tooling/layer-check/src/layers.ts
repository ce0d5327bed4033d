/**
 * The straight line, lowest first: a package may import what stands in an earlier row, never its own row or a later
 * one. This is the only list; docs/architecture.md explains it.
 */
export const line: readonly (readonly string[])[] = [
  ['@xlstm/device'],
  ['@xlstm/mlstm-kernels', '@xlstm/tensor'],
  ['@xlstm/xlstm-core'],
  ['@xlstm/xlstm-large'],
  ['xlstm'],
  ['@xlstm/cli', '@xlstm/trainer', '@xlstm/demo', '@xlstm/docs'],
];

/** At the side of the line: they import only these entries, and only the façade and the apps import them. */
export const side: readonly string[] = ['@xlstm/tokenizer', '@xlstm/loaders'];
export const sideMayImport: readonly string[] = ['@xlstm/device', '@xlstm/device/dtypes'];
const sideImportedFrom = 'xlstm';

const rowOf = (name: string): number => line.findIndex((row) => row.includes(name));

/** Whether the list knows the package. */
export function isListed(name: string): boolean {
  return side.includes(name) || rowOf(name) >= 0;
}

/** Why `from` may not import the package `to` (both listed), with what to do; undefined if it may. */
export function whyForbidden(from: string, to: string): string | undefined {
  if (side.includes(from)) {
    if (to === '@xlstm/device') return undefined;
    return `${from} stands at the side of the line and may import only ${sideMayImport.join(' and ')}; move what needs ${to} into xlstm, which wires them`;
  }
  if (side.includes(to)) {
    if (rowOf(from) >= rowOf(sideImportedFrom)) return undefined;
    return `${from} must not know ${to}; only ${sideImportedFrom} and the apps import it, so hand the value in from there`;
  }
  const [here, there] = [rowOf(from), rowOf(to)];
  if (there < here) return undefined;
  if (there === here)
    return `${from} and ${to} stand side by side and must not know each other; put them together in a package above`;
  return `${from} stands below ${to}, and imports run downhill only; move the shared part down, or this file up`;
}
