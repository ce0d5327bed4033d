import { isListed, whyForbidden } from './layers.ts';
import type { Violation } from './violation.ts';
import { dependencyFields, type Workspace, type WorkspacePackage } from './workspace.ts';

/** Checks each package.json: its name against its folder, its place in the line, its dependencies downhill. */
export function checkManifests(workspace: Workspace): Violation[] {
  return workspace.packages.flatMap((each) => checkManifest(each, workspace));
}

function checkManifest(each: WorkspacePackage, workspace: Workspace): Violation[] {
  const { manifest, folder, group, expectedName } = each;
  if (manifest === undefined) return [];
  const name = manifest.name ?? '';
  const violations: Violation[] = [];
  const report = (key: string, message: string): void => {
    violations.push({ file: `${folder}/package.json`, line: lineOfKey(each.manifestText, key), message });
  };
  if (name !== expectedName) {
    report(
      'name',
      `expected the name ${expectedName} for this folder, got "${name}"; rename the package or the folder`,
    );
  }
  if (group !== 'tooling' && !isListed(expectedName)) {
    report('name', `${expectedName} has no place in the line; give it one in tooling/layer-check/src/layers.ts`);
    return violations;
  }
  const ours = new Map(workspace.packages.map((other) => [other.expectedName, other]));
  for (const field of dependencyFields) {
    for (const dependency of Object.keys(manifest[field] ?? {})) {
      const other = ours.get(dependency);
      if (other === undefined && !isListed(dependency)) continue;
      if (other?.group === 'apps') {
        report(dependency, `${dependency} is an app, and nothing imports apps; move what is shared into a package`);
      } else if (group === 'tooling') {
        // Tooling stands outside the line and may use any package.
      } else if (other?.group === 'tooling') {
        if (field === 'devDependencies') continue;
        report(dependency, `${dependency} is never published; move it from ${field} to devDependencies`);
      } else {
        const reason = whyForbidden(expectedName, dependency);
        if (reason) report(dependency, reason);
      }
    }
  }
  return violations;
}

function lineOfKey(text: string, key: string): number {
  const at = text.indexOf(`"${key}":`);
  return at < 0 ? 1 : text.slice(0, at).split('\n').length;
}
