import { resolver, type SourceFile } from './source-file.ts';
import type { Violation } from './violation.ts';
import type { Workspace } from './workspace.ts';

/**
 * Finds files that import each other in a circle, type-only imports included: one violation per circle, at the import
 * that closes it. (Depth-first search: an edge back into the current path closes a circle.)
 */
export function checkCycles(workspace: Workspace, files: readonly SourceFile[]): Violation[] {
  const resolve = resolver(workspace, files);
  const byPath = new Map(files.map((file) => [file.path, file]));
  const violations: Violation[] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: SourceFile): void => {
    path.push(file.path);
    for (const { specifier, line } of file.imports) {
      const target = resolve(file.path, specifier);
      if (target === undefined || done.has(target)) continue;
      const start = path.indexOf(target);
      if (start >= 0) {
        const circle = [...path.slice(start), target].join(' -> ');
        const message = `import cycle ${circle}; move what both need into a file of its own`;
        violations.push({ file: file.path, line, message });
      } else {
        const next = byPath.get(target);
        if (next) visit(next);
      }
    }
    path.pop();
    done.add(file.path);
  };
  for (const file of files) if (!done.has(file.path)) visit(file);
  return violations;
}
