import { DisposedError, OptionError } from '@xlstm/device';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HubServer } from '../testing/hub-server.ts';
import { TransferError } from '../transfer/transfer-error.ts';
import { type HttpSourceOptions, httpSource } from './http-source.ts';

const bytes = Uint8Array.from({ length: 100_000 }, (_, index) => (index * 7) % 251);
const NAME = 'data file.bin';
const retry = { baseDelayMs: 1, maxDelayMs: 2, retries: 4, idleTimeoutMs: 100 };
let server: HubServer;
beforeEach(async () => {
  server = await new HubServer({
    [NAME]: { bytes, large: true },
    empty: { bytes: bytes.subarray(0, 0), large: true },
  }).start();
});
afterEach(() => server.stop());
const open = (options: HttpSourceOptions = {}) =>
  httpSource(`${server.storage}/${encodeURIComponent(NAME)}?x=1`, { retry, ...options });
const rejection = async (promise: Promise<unknown>): Promise<TransferError> => {
  const error = await promise.catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(TransferError);
  return error as TransferError;
};

describe('httpSource', () => {
  it('reads ranges, counts what it read, and refuses others', async () => {
    const source = await open();
    expect([source.name, source.size, source.bytesRead]).toEqual([NAME, 100_000, 0]);
    expect(await source.read(70_000, 20_000)).toEqual(bytes.slice(70_000, 90_000));
    const target = new Uint8Array(3);
    await source.readInto?.(99_997, target);
    expect(target).toEqual(bytes.slice(99_997));
    expect(source.bytesRead).toBe(20_003);
    expect(await source.read(5, 0)).toHaveLength(0);
    await expect(source.read(99_999, 2)).rejects.toThrow(OptionError);
    await source.close();
    await expect(source.read(0, 1)).rejects.toThrow(DisposedError);
    expect((await httpSource(`${server.storage}/empty`, { retry })).size).toBe(0);
  });

  it('goes on after cuts, each time from where it was', async () => {
    const source = await open();
    let requests = 0;
    server.mischief = () => (++requests < 5 ? { kind: 'cut', afterBytes: 20_000 } : undefined);
    expect(await source.read(1000, 99_000)).toEqual(bytes.slice(1000));
    expect(requests).toBe(5);
    expect(source.bytesRead).toBe(99_000);
  });

  it('waits out busy servers as they ask, and gives up in time', async () => {
    let requests = 0;
    server.mischief = () => (++requests < 4 ? { kind: 'status', status: 503, retryAfter: '0' } : undefined);
    const source = await open();
    server.mischief = () => ({ kind: 'status', status: 429 });
    requests = 0;
    const error = await rejection(source.read(0, 10));
    expect([error.code, error.message]).toEqual(['network', expect.stringMatching(/5 tries.*answered 429/)]);
    server.mischief = () => ({
      kind: 'status',
      status: 429,
      retryAfter: new Date(Date.now() + 3_600_000).toUTCString(),
    });
    expect((await rejection(source.read(0, 10))).code).toBe('busy');
  });

  it('takes silence for a cut', async () => {
    const source = await open();
    server.pauseMs = 300;
    const error = await rejection(source.read(0, 50_000));
    expect(error.message).toMatch(/nothing came for 100 ms/);
  });

  it.each([{ kind: 'change-etag' }, { kind: 'other-size' }, { kind: 'ignore-range' }] as const)(
    'notices a file that is no longer the same: $kind',
    async (mischief) => {
      const source = await open();
      server.mischief = () => mischief;
      expect((await rejection(source.read(10, 100))).code).toBe('changed');
    },
  );

  it('reads small files whole from servers without ranges, and refuses larger ones', async () => {
    server.mischief = () => ({ kind: 'ignore-range' });
    const source = await open();
    expect(await source.read(50_000, 10)).toEqual(bytes.subarray(50_000, 50_010));
    expect(server.log).toHaveLength(1);
    const error = await rejection(open({ maxWholeBytes: 99_999 }));
    expect([error.code, error.message]).toEqual([
      'no-ranges',
      expect.stringMatching(/100000 bytes, and at most 99999/),
    ]);
  });

  it('leaves every header behind where a redirect leads away', async () => {
    const url = `${server.endpoint}/${server.id}/resolve/c0ffee0000000000000000000000000000000001/${encodeURIComponent(NAME)}`;
    const source = await httpSource(url, { retry, headers: { authorization: 'Bearer hf_secret' } });
    await source.read(0, 10);
    expect(server.log.map(({ origin, authorization }) => [origin, authorization])).toEqual([
      ['hub', 'Bearer hf_secret'],
      ['storage', undefined],
      ['hub', 'Bearer hf_secret'],
      ['storage', undefined],
    ]);
  });

  it('obeys both signals', async () => {
    const controller = new AbortController();
    const source = await open({ signal: controller.signal });
    const reason = new Error('stop');
    await expect(source.read(0, 10, AbortSignal.abort(reason))).rejects.toBe(reason);
    server.pauseMs = 50;
    const reading = source.read(0, 100_000);
    setTimeout(() => controller.abort(reason), 60);
    await expect(reading).rejects.toBe(reason);
    await expect(open({ signal: controller.signal })).rejects.toBe(reason);
  });

  it('names what is not there and what cannot be', async () => {
    expect((await rejection(httpSource(`${server.storage}/none.bin`, { retry }))).code).toBe('not-found');
    await expect(httpSource('file:///etc/passwd')).rejects.toThrow(OptionError);
    await expect(httpSource(`${server.storage}/folder/`)).rejects.toThrow(OptionError);
    await server.stop();
    expect((await rejection(open())).code).toBe('network');
  });
});
