import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ensureSystemPackages } from './system-packages.mjs';

// The real apt-get takes minutes and changes the machine: these stand in for it and keep a list of what is installed.
const dpkg = `#!/bin/sh\ngrep -qx "$2" "$(dirname "$0")/installed" && echo 'Status: install ok installed'\n`;
const aptGet = `#!/bin/sh
here=$(dirname "$0"); echo "$@" >> "$here/calls"; [ -e "$here/broken" ] && { echo 'E: no network' >&2; exit 100; }
[ "$1" = install ] && for name; do echo "$name" >> "$here/installed"; done; true\n`;

const applies = process.platform === 'linux' && existsSync('/usr/bin/apt-get');

describe.skipIf(!applies)('ensureSystemPackages, which needs Debian or Ubuntu', () => {
  /** @type {string} */
  let bin;
  const put = (/** @type {string} */ name, /** @type {string} */ text) => writeFileSync(join(bin, name), text);
  const calls = () => (existsSync(join(bin, 'calls')) ? readFileSync(join(bin, 'calls'), 'utf8') : '');
  beforeEach(() => {
    bin = mkdtempSync(join(tmpdir(), 'xlstm-apt-'));
    put('dpkg', dpkg);
    put('apt-get', aptGet);
    for (const name of ['dpkg', 'apt-get']) chmodSync(join(bin, name), 0o755);
    put('installed', 'libvulkan1\n');
    vi.stubEnv('PATH', `${bin}${delimiter}${process.env.PATH}`);
    vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    vi.restoreAllMocks();
    rmSync(bin, { recursive: true, force: true });
  });
  const asUser = (/** @type {number} */ id) => vi.spyOn(process, 'getuid').mockReturnValue(id);

  it('installs, as root, only what is missing, and only once', async () => {
    asUser(0);
    expect(await ensureSystemPackages(bin)).toBeUndefined();
    expect(calls()).toMatch(/^update .*\ninstall -y --no-install-recommends .* chromium\n$/);
    expect(await ensureSystemPackages(bin)).toBeUndefined();
    expect(calls().match(/^install/gm)).toHaveLength(1);
  });

  it('says what to do when the installation fails', async () => {
    asUser(0);
    put('broken', '');
    expect(await ensureSystemPackages(bin)).toMatch(
      /could not install chromium .*apt-get install .*chromium libvulkan1/,
    );
    expect(vi.mocked(process.stderr.write).mock.calls.join('')).toContain('E: no network');
  });

  it('installs nothing for anyone but root, and gives the command', async () => {
    asUser(1000);
    expect(await ensureSystemPackages(bin)).toMatch(/^chromium missing; .*sudo apt-get install/);
    expect(calls()).toBe('');
  });
});
