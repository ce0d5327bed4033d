import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { formatBytes, formatMs, formatTable } from './human-readable.ts';
import { Progress } from './progress.ts';
import type { MaybeTty } from './terminal.ts';

function recorder(isTTY: boolean, columns?: number): { stream: MaybeTty<Writable>; written: string[] } {
  const written: string[] = [];
  const stream: MaybeTty<Writable> = new Writable({
    decodeStrings: false,
    write(text: string, _encoding, done) {
      written.push(text);
      done();
    },
  });
  stream.isTTY = isTTY;
  stream.columns = columns;
  return { stream, written };
}

describe('Progress', () => {
  it('draws on a terminal and leaves no trace', () => {
    const { stream, written } = recorder(true);
    const progress = new Progress(stream, true);
    progress.update('loading', 0.5);
    progress.clear();
    progress.clear();
    expect(written).toEqual([`\r\u001b[2Kloading [${'='.repeat(15)}${' '.repeat(15)}] 50%`, '\r\u001b[2K']);
  });

  it('stays within a narrow terminal', () => {
    const { stream, written } = recorder(true, 20);
    new Progress(stream, true).update('loading', 1);
    expect(written[0]!.replace('\r\u001b[2K', '').length).toBeLessThan(20);
  });

  it('draws on a terminal of unknown width', () => {
    const { stream, written } = recorder(true, 0);
    new Progress(stream, true).update('loading', 1);
    expect(written[0]).toContain(`[${'='.repeat(30)}]`);
  });

  it('is silent where nobody watches or wants it', () => {
    const pipe = recorder(false);
    new Progress(pipe.stream, true).update('loading', 0.5);
    const terminal = recorder(true);
    new Progress(terminal.stream, false).update('loading', 0.5);
    expect([...pipe.written, ...terminal.written]).toEqual([]);
  });
});

describe('numbers for people', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.00 kB'],
    [999_499, '999 kB'],
    [999_999, '1.00 MB'],
    [13_900_000_000, '13.9 GB'],
  ])('%d bytes', (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  it.each([
    [0.2, '0 ms'],
    [999, '999 ms'],
    [999.9, '1.00 s'],
    [61_000, '61.0 s'],
  ])('%d ms', (ms, text) => expect(formatMs(ms)).toBe(text));

  it('aligns columns', () => {
    expect(
      formatTable(
        [
          ['a', '1'],
          ['bcd', '23'],
        ],
        [1],
      ),
    ).toBe('a     1\nbcd  23');
  });
});
