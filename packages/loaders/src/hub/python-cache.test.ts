import { execFile, execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint } from '../checkpoint/open-checkpoint.ts';
import { HubServer } from '../testing/hub-server.ts';
import { NEEDED, tinyRepository } from '../testing/tiny-repository.ts';
import { resolveModel } from './resolve-model.ts';

const python = process.env.XLSTM_PYTHON ?? 'python3';

/** Python's own client is the judge, where it is installed. */
function lacksPythonClient(): boolean {
  try {
    execFileSync(python, ['-c', 'import huggingface_hub'], { stdio: 'ignore' });
    return false;
  } catch {
    console.warn(`skipped: ${python} has no huggingface_hub; name one that has with XLSTM_PYTHON`);
    return true;
  }
}

let server: HubServer;
let folder: string;
beforeAll(async () => {
  server = await new HubServer(tinyRepository()).start();
  folder = await mkdtemp(join(tmpdir(), 'xlstm-python-'));
});
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true });
});

async function run(code: string, cacheDir: string): Promise<string> {
  const env = { ...process.env, HF_HUB_CACHE: cacheDir, HF_HOME: join(folder, 'home'), HF_ENDPOINT: server.endpoint };
  const { stdout } = await promisify(execFile)(python, ['-c', code, server.id, ...NEEDED], { env });
  return stdout.trim();
}

describe.skipIf(lacksPythonClient())("Python's huggingface_hub and this client share a cache", () => {
  it('Python finds what was downloaded here, without asking', async () => {
    const cacheDir = join(folder, 'ours');
    const files = await resolveModel(server.id, { endpoint: server.endpoint, cacheDir });
    await files.close();
    server.log.length = 0;
    const code = `
import sys
from huggingface_hub import hf_hub_download, scan_cache_dir
repo, names = sys.argv[1], sys.argv[2:]
for name in names:
    print(hf_hub_download(repo, name, local_files_only=True))
assert not scan_cache_dir().warnings, scan_cache_dir().warnings
`;
    const paths = (await run(code, cacheDir)).split('\n');
    expect(paths).toHaveLength(NEEDED.length);
    for (const [index, name] of NEEDED.entries()) {
      expect(Buffer.compare(await readFile(paths[index]!), server.files.get(name)!.bytes)).toBe(0);
    }
    expect(server.log.filter(({ path }) => path.includes(server.id))).toEqual([]);
  });

  it('what Python downloaded is used here, online and offline', async () => {
    const cacheDir = join(folder, 'theirs');
    const code = 'import sys; from huggingface_hub import snapshot_download; print(snapshot_download(sys.argv[1]))';
    await run(code, cacheDir);
    server.log.length = 0;
    const files = await resolveModel(server.id, { endpoint: server.endpoint, cacheDir });
    expect(server.log.map(({ path }) => path)).toEqual([`/api/models/${server.id}/revision/main`]);
    await (await openCheckpoint(files)).close();
    const offline = await resolveModel(server.id, { offline: true, cacheDir, verify: 'hash' });
    expect([...offline.names].sort()).toEqual(NEEDED);
    await (await openCheckpoint(offline)).close();
  });
});
