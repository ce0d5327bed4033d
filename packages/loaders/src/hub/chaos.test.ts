import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { blobName, COMMIT, HubServer, type LoggedRequest, type Mischief } from '../testing/hub-server.ts';
import { NEEDED, tinyRepository } from '../testing/tiny-repository.ts';
import { TransferError } from '../transfer/transfer-error.ts';
import { resolveModel } from './resolve-model.ts';

const SCHEDULES = 200;
const PER_TEST = 20;

/** Numbers in 0..1 that follow from a seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

let server: HubServer;
let blobs: ReadonlyMap<string, Uint8Array>;
const outcomes: Record<string, number> = {};
beforeAll(async () => {
  server = await new HubServer(tinyRepository()).start();
  server.token = 'hf_secret';
  blobs = new Map([...server.files.values()].map((file) => [blobName(file), file.bytes]));
});
afterAll(async () => {
  await server.stop();
  console.log(`chaos: ${JSON.stringify(outcomes)}`);
});

function mischiefOf(random: () => number): (request: LoggedRequest) => Mischief | undefined {
  const likelihood = 0.1 + 0.7 * random();
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
  return () => {
    if (random() > likelihood) return undefined;
    const afterBytes = Math.floor(random() * 130_000);
    const retryAfter = pick(['0', new Date().toUTCString(), 'nonsense', '-1', random() < 0.1 ? '7200' : '0']);
    return pick<Mischief>([
      { kind: 'cut', afterBytes },
      { kind: 'cut', afterBytes: 0 },
      { kind: 'status', status: pick([429, 503]) },
      { kind: 'status', status: pick([429, 503]), retryAfter },
      { kind: 'ignore-range' },
      { kind: 'change-etag' },
      { kind: 'corrupt' },
      { kind: 'other-size' },
    ]);
  };
}

/** Whatever appears in the cache is whole and right; what is not yet has a name that tells. */
async function expectSoundCache(cacheDir: string): Promise<number> {
  const model = join(cacheDir, 'models--ACME--tiny-xlstm');
  for (const name of await readdir(join(model, 'blobs')).catch(() => [])) {
    if (name.endsWith('.xlstm.incomplete')) continue;
    expect(blobs.has(name), `a blob named ${name}`).toBe(true);
    expect(Buffer.compare(await readFile(join(model, 'blobs', name)), blobs.get(name)!), name).toBe(0);
  }
  const names = await readdir(join(model, 'snapshots', COMMIT)).catch(() => []);
  for (const name of names) {
    const bytes = await readFile(join(model, 'snapshots', COMMIT, name));
    expect(Buffer.compare(bytes, server.files.get(name)!.bytes), name).toBe(0);
  }
  const refs = await readdir(join(model, 'refs')).catch(() => []);
  if (refs.length > 0) expect(names.sort()).toEqual(NEEDED);
  return names.length;
}

async function runSchedule(seed: number): Promise<string> {
  const random = seeded(seed);
  const cacheDir = await mkdtemp(join(tmpdir(), 'xlstm-chaos-'));
  const retry = { baseDelayMs: 0.5, maxDelayMs: 2, retries: 4, idleTimeoutMs: 2000, maxRetryAfterMs: 1000 };
  const controller = new AbortController();
  const stopped = new Error('stopped');
  const stopAfter = random() < 0.15 ? Math.floor(random() * 60) : Number.POSITIVE_INFINITY;
  let events = 0;
  const options = {
    endpoint: server.endpoint,
    cacheDir,
    token: 'hf_secret',
    retry,
    signal: controller.signal,
    onProgress: () => {
      if (events++ === stopAfter) controller.abort(stopped);
    },
  };
  server.listsBlobs = random() < 0.7;
  server.redirects = random() < 0.7;
  server.mischief = mischiefOf(random);
  server.log.length = 0;
  try {
    let outcome = 'whole';
    try {
      await resolveModel(server.id, options);
    } catch (error) {
      if (error !== stopped) expect(error).toBeInstanceOf(TransferError);
      outcome = error instanceof TransferError ? error.code : 'stopped';
    }
    const arrived = await expectSoundCache(cacheDir);
    if (outcome === 'whole') expect(arrived).toBe(NEEDED.length);
    server.mischief = () => undefined;
    const { onProgress: _, signal: __, ...calm } = options;
    await resolveModel(server.id, calm);
    expect(await expectSoundCache(cacheDir)).toBe(NEEDED.length);
    const leaked = server.log.filter(({ origin, authorization }) => origin === 'storage' && authorization);
    expect(leaked).toEqual([]);
    return outcome;
  } finally {
    await rm(cacheDir, { recursive: true, force: true });
  }
}

describe('a hub that cuts, stalls, changes and lies', () => {
  it.each(Array.from({ length: SCHEDULES / PER_TEST }, (_, index) => index * PER_TEST))(
    'ends in the right bytes or a clear error, and a sound cache: schedules from %d on',
    async (first) => {
      for (let seed = first; seed < first + PER_TEST; seed++) {
        try {
          const outcome = await runSchedule(seed);
          outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
        } catch (error) {
          throw new Error(`schedule ${seed}`, { cause: error });
        }
      }
    },
  );

  it('met both ends often enough to mean something', () => {
    expect(outcomes.whole).toBeGreaterThan(SCHEDULES / 5);
    expect(Object.keys(outcomes).length).toBeGreaterThan(2);
  });
});
