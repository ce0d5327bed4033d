import { posix } from 'node:path';
import { isListed, side, sideMayImport, whyForbidden } from './layers.ts';
import type { SourceFile } from './source-file.ts';
import type { Violation } from './violation.ts';
import type { Workspace, WorkspacePackage } from './workspace.ts';

/** Checks every import statement of every source file. */
export function checkImports(workspace: Workspace, files: readonly SourceFile[]): Violation[] {
  return files.flatMap((file) =>
    file.imports.flatMap(({ specifier, line }) => {
      const message = whyWrong(workspace, file, specifier);
      return message === undefined ? [] : [{ file: file.path, line, message }];
    }),
  );
}

/**
 * Tests and benchmarks run here and are never published; a kernel's spec.ts is what both are made of, and `testing/`
 * folders hold what tests share.
 */
const developmentOnly = /\.(test|bench)\.[a-z]+$|\/spec\.ts$|\/testing\//;

function whyWrong(workspace: Workspace, file: SourceFile, specifier: string): string | undefined {
  const owner = file.owner;
  if (specifier.startsWith('.')) {
    const target = posix.join(posix.dirname(file.path), specifier);
    if (!target.startsWith(`${owner.folder}/`)) {
      return `${specifier} leaves ${owner.folder}; import another package by its name, through its exports`;
    }
    // What tests need (tooling, vitest) would come along into the published package.
    if (owner.group === 'tooling' || developmentOnly.test(file.path) || !developmentOnly.test(target)) return undefined;
    return `${specifier} is for tests and benchmarks only; move what both need into a file of its own`;
  }
  if (specifier.startsWith('node:')) return undefined;
  if (specifier.startsWith('/') || specifier.startsWith('file:')) {
    return `${specifier} is a place on one machine; import by package name or relative path`;
  }
  const name = packageName(specifier);
  const isDevelopment = developmentOnly.test(file.path);
  if (name === owner.expectedName) {
    return isDevelopment ? undefined : `${specifier} is this package itself; import the file by its relative path`;
  }
  const other = workspace.packages.find((each) => each.expectedName === name);
  if (other !== undefined || isListed(name)) {
    const reason = whyNotOurs(owner, name, specifier, other, isDevelopment);
    if (reason !== undefined) return reason;
  }
  return whyUndeclared(workspace, owner, name, isDevelopment);
}

function whyNotOurs(
  owner: WorkspacePackage,
  name: string,
  specifier: string,
  other: WorkspacePackage | undefined,
  isDevelopment: boolean,
): string | undefined {
  if (other?.group === 'apps') return `${name} is an app, and nothing imports apps; move what is shared into a package`;
  if (owner.group === 'tooling') return undefined;
  if (other?.group === 'tooling') {
    if (isDevelopment) return undefined;
    return `${name} is never published, and only *.test.ts, *.bench.ts, spec.ts and testing/ may import it; move this there`;
  }
  if (!isListed(owner.expectedName)) return undefined;
  const reason = whyForbidden(owner.expectedName, name);
  if (reason !== undefined) return reason;
  if (side.includes(owner.expectedName) && !sideMayImport.includes(specifier)) {
    return `${owner.expectedName} may import only ${sideMayImport.join(' and ')}, got ${specifier}; use one of these`;
  }
  return undefined;
}

function whyUndeclared(
  workspace: Workspace,
  owner: WorkspacePackage,
  name: string,
  isDevelopment: boolean,
): string | undefined {
  const manifest = owner.manifest ?? {};
  const published = { ...manifest.dependencies, ...manifest.optionalDependencies, ...manifest.peerDependencies };
  if (Object.hasOwn(published, name)) return undefined;
  const isDeclaredForDevelopment = Object.hasOwn(manifest.devDependencies ?? {}, name);
  if (isDevelopment || owner.group === 'tooling') {
    if (isDeclaredForDevelopment || workspace.rootDependencies.has(name)) return undefined;
    return `${name} is not declared; add it to the devDependencies of ${owner.folder}/package.json`;
  }
  // A published file that needs it would fail for everyone who installs the package.
  const found = isDeclaredForDevelopment ? 'only in devDependencies' : 'not declared';
  return `${name} is ${found}; add it to the dependencies of ${owner.folder}/package.json`;
}

/** `@scope/name/entry` and `name/entry` to the package's name. */
export function packageName(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}
