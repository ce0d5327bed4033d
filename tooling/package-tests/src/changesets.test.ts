import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import parseChangeset from '@changesets/parse';
import { expect, it } from 'vitest';
import { publicPackages, repository } from './public-packages.ts';

const folder = join(repository, '.changeset');
const files = readdirSync(folder).filter((file) => file.endsWith('.md') && file !== 'README.md');

// A release reads them months later; one that does not parse stops all of it.
it('every waiting changeset can be read and names packages that are published', () => {
  const published = publicPackages().map(({ name }) => name);
  for (const file of files) {
    const { summary, releases } = parseChangeset(readFileSync(join(folder, file), 'utf8'));
    expect(summary.length, file).toBeGreaterThan(20);
    expect(releases.length, file).toBeGreaterThan(0);
    for (const { name, type } of releases) {
      expect(published, file).toContain(name);
      expect(['major', 'minor', 'patch'], file).toContain(type);
    }
  }
});
