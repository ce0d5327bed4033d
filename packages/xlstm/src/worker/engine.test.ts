import { XlstmError } from '@xlstm/device';
import { describe, expect, it } from 'vitest';
import { WorkerEngine } from './engine.ts';
import { isResponse, PROTOCOL_VERSION, type Request, type Response } from './protocol.ts';

/** Sends one call to an engine that has no model, and waits for the answer. */
async function answerTo(request: Request): Promise<Response> {
  return new Promise((resolve) => new WorkerEngine(resolve).receive(structuredClone(request)));
}

describe('WorkerEngine', () => {
  it.each([
    ['nothing', undefined],
    ['a text', 'load'],
    ['a call that does not exist', { id: 1, call: 'explode', arguments: [] }],
    ['a name that every object has', { id: 1, call: 'constructor', arguments: [] }],
    ['a call without a number', { call: 'dispose', arguments: [] }],
    ['a call without arguments', { id: 1, call: 'dispose' }],
  ])('throws for %s', (_, message) => {
    const engine = new WorkerEngine(() => {});
    expect(() => engine.receive(message)).toThrow(XlstmError);
    expect(() => engine.receive(message)).toThrow(/expected a message of xlstm's protocol/);
  });

  it('answers a page of another version with an error, and every call without a model', async () => {
    const load = {
      version: PROTOCOL_VERSION + 1,
      source: 'x',
      options: {},
      reportProgress: false,
      reportDownload: false,
    };
    expect(await answerTo({ id: 7, call: 'load', arguments: [load] })).toMatchObject({
      type: 'failed',
      id: 7,
      error: { className: 'OptionError', message: expect.stringContaining('deploy both from one release') },
    });
    for (const request of [
      { id: 1, call: 'encode', arguments: ['x', undefined] },
      { id: 1, call: 'exportState', arguments: [3] },
      { id: 1, call: 'liveBuffers', arguments: [] },
    ] satisfies Request[]) {
      expect(await answerTo(request)).toMatchObject({ type: 'failed', id: 1, error: { className: 'DisposedError' } });
    }
    expect(await answerTo({ id: 2, call: 'next', arguments: [9] })).toMatchObject({ type: 'failed', id: 2 });
    expect(await answerTo({ id: 3, call: 'dispose', arguments: [] })).toMatchObject({ type: 'done', id: 3 });
  });

  it('answers in messages that the client knows', async () => {
    expect(isResponse(await answerTo({ id: 3, call: 'dispose', arguments: [] }))).toBe(true);
    for (const other of [undefined, 'done', {}, { type: 'toString' }]) expect(isResponse(other)).toBe(false);
  });
});
