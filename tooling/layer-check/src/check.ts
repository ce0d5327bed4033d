import { checkCycles } from './cycles.ts';
import { checkImports } from './import-rules.ts';
import { checkManifests } from './manifest-rules.ts';
import { readSourceFiles } from './source-file.ts';
import type { Violation } from './violation.ts';
import { readWorkspace } from './workspace.ts';

export interface LayerReport {
  readonly packages: number;
  readonly files: number;
  readonly violations: readonly Violation[];
}

/** Checks the repository at `root`. Throws if it is no workspace, or a file in it does not parse. */
export function checkRepository(root: string): LayerReport {
  const workspace = readWorkspace(root);
  const files = readSourceFiles(workspace);
  const violations = [
    ...checkManifests(workspace),
    ...checkImports(workspace, files),
    ...checkCycles(workspace, files),
  ];
  return { packages: workspace.packages.length, files: files.length, violations };
}
