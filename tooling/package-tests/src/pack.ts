import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type PublicPackage, publicPackages, repository } from './public-packages.ts';
import { runProgram } from './run-program.ts';

/** A package as it would be uploaded. */
export interface PackedPackage extends PublicPackage {
  /** The .tgz file. */
  readonly tarball: string;
}

/** Brings every package's dist/ up to date; where it is already, this only looks. */
export async function buildPackages(): Promise<void> {
  const filters = publicPackages().map(({ name }) => `--filter=${name}`);
  await runProgram(
    process.execPath,
    [join(repository, 'node_modules/turbo/bin/turbo'), 'run', 'build', ...filters, '--output-logs=errors-only'],
    {
      cwd: repository,
      env: {
        TURBO_TELEMETRY_DISABLED: '1',
        TURBO_NO_UPDATE_NOTIFIER: '1',
        pnpm_config_verify_deps_before_run: 'false',
      },
    },
  );
}

/** Builds and packs every public package into a folder, as `pnpm publish` would upload them. */
export async function packPackages(folder: string): Promise<PackedPackage[]> {
  await buildPackages();
  return await Promise.all(
    publicPackages().map(async (each) => {
      const destination = join(folder, each.folder.replace('/', '-'));
      mkdirSync(destination, { recursive: true });
      await runProgram('pnpm', ['pack', '--pack-destination', destination], {
        cwd: join(repository, each.folder),
        env: { pnpm_config_verify_deps_before_run: 'false' },
      });
      const [tarball] = readdirSync(destination);
      if (tarball === undefined) throw new Error(`pnpm pack: expected a tarball of ${each.name}, found none`);
      return { ...each, tarball: join(destination, tarball) };
    }),
  );
}
