import type { TransferProgress } from '@xlstm/loaders';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DownloadNews } from './download-news.ts';

const name = 'ACME/stories';
const count = (file: string, loaded: number): TransferProgress => ({
  status: 'progress',
  name,
  file,
  progress: loaded,
  loaded,
  total: 100,
});

describe('DownloadNews', () => {
  let sent: TransferProgress[][];
  let news: DownloadNews;
  beforeEach(() => {
    vi.useFakeTimers();
    sent = [];
    news = new DownloadNews((events) => sent.push(events));
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('sends some ten messages a second, each with the newest count of every file', () => {
    for (let at = 0; at < 1000; at += 5) {
      for (const file of ['a', 'b', 'c']) news.hear(count(file, at / 10));
      vi.advanceTimersByTime(5);
    }
    expect(sent.length).toBeGreaterThan(8);
    expect(sent.length).toBeLessThan(12);
    expect(sent[0]).toEqual([count('a', 0)]);
    for (const [index, events] of sent.slice(1).entries()) {
      expect(events.map((event) => 'file' in event && event.file).sort()).toEqual(['a', 'b', 'c']);
      expect((events[0] as { loaded: number }).loaded).toBeGreaterThanOrEqual(10 * index);
    }
  });

  it('sends what happens once at once, after the counts before it', () => {
    const done = { status: 'done', name, file: 'a' } as const;
    const ready = { status: 'ready', name } as const;
    for (const event of [count('a', 1), count('a', 50), count('b', 7), count('a', 100), done, ready]) news.hear(event);
    expect(sent.flat()).toEqual([count('a', 1), count('a', 100), count('b', 7), done, ready]);
    vi.advanceTimersByTime(1000);
    expect(sent).toHaveLength(3);
  });

  it('tells of the last bytes though nothing follows them for long, and leaves no timer at its end', () => {
    for (const loaded of [1, 99, 100]) news.hear(count('a', loaded));
    vi.advanceTimersByTime(150);
    expect(sent).toEqual([[count('a', 1)], [count('a', 100)]]);
    for (const loaded of [3, 4]) news.hear(count('b', loaded));
    news.end();
    expect(sent.flat().at(-1)).toEqual(count('b', 4));
    expect(vi.getTimerCount()).toBe(0);
  });
});
