import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Batch, type BatchSource, IGNORE } from './batch-source.ts';
import { carriedRows } from './carried-rows.ts';
import { apportionRows, sideBySide, weightedMixture } from './mixture.ts';
import { shuffledWindows } from './shuffled-windows.ts';
import { countingStream } from './testing/counting-stream.ts';
import { expectExactSeek, take } from './testing/seek-law.ts';
import type { TokenStream } from './token-stream.ts';
import { validationWindows } from './validation-windows.ts';

/** The first id of each row; checks that each row runs on by one and its targets are one ahead. */
function starts({ tokens, targets }: Batch, length: number): number[] {
  const first: number[] = [];
  const wrong: number[] = [];
  for (let i = 0; i < tokens.length; i++) {
    if (i % length === 0) first.push(tokens[i]!);
    else if (tokens[i] !== tokens[i - 1]! + 1) wrong.push(i);
    if (targets[i] !== tokens[i]! + 1) wrong.push(i);
  }
  expect(wrong).toEqual([]);
  return first;
}

const shape = fc.record({
  rows: fc.integer({ min: 1, max: 5 }),
  length: fc.integer({ min: 1, max: 12 }),
  more: fc.nat(300),
  seed: fc.maxSafeNat(),
  before: fc.nat(40),
  after: fc.integer({ min: 1, max: 20 }),
});

describe('shuffledWindows', () => {
  test('an epoch has each window once, whole, and all but the edges of the stream', async () => {
    await fc.assert(
      fc.asyncProperty(shape, async ({ length, more, seed }) => {
        const tokens = length + 1 + more;
        const source = shuffledWindows(countingStream(tokens), { rows: 1, length, seed });
        for (let epoch = 0; epoch < 3; epoch++) {
          const seen: number[] = [];
          while ((source.position() as { epoch: number }).epoch === epoch) {
            const batch = await source.next();
            expect(batch.restarts).toEqual(Uint8Array.of(1));
            seen.push(...starts(batch, length));
          }
          seen.sort((a, b) => a - b);
          expect(seen[0]).toBeLessThan(length);
          expect(seen.at(-1)! + 2 * length).toBeGreaterThanOrEqual(tokens - 1);
          expect(seen.every((start, i) => start === seen[0]! + i * length)).toBe(true);
        }
      }),
      { numRuns: 80 },
    );
  });

  test('order and edges differ from epoch to epoch and from seed to seed', async () => {
    const order = async (seed: number): Promise<number[]> => {
      const source = shuffledWindows(countingStream(1000), { rows: 1, length: 10, seed });
      return (await take(source, 200)).flatMap((batch) => starts(batch, 10));
    };
    const [one, two] = [await order(1), await order(2)];
    expect(one).not.toEqual(two);
    expect(one.slice(0, 99)).not.toEqual(one.slice(99, 198));
    expect(new Set(one.map((start) => start % 10)).size).toBeGreaterThan(1);
    expect(one.slice(0, 99)).not.toEqual([...one.slice(0, 99)].sort((a, b) => a - b));
  });

  test('the number of rows does not change the order', async () => {
    const rowsOf = async (rows: number): Promise<number[]> => {
      const source = shuffledWindows(countingStream(500), { rows, length: 7, seed: 3 });
      return (await take(source, 120 / rows)).flatMap((batch) => starts(batch, 7));
    };
    expect(await rowsOf(4)).toEqual(await rowsOf(1));
  });

  test('seek is exact', async () => {
    await fc.assert(
      fc.asyncProperty(shape, async ({ rows, length, more, seed, before, after }) => {
        const make = (): BatchSource => shuffledWindows(countingStream(length + 1 + more), { rows, length, seed });
        await expectExactSeek(make, before, after);
      }),
      { numRuns: 60 },
    );
  });

  test('a failed read leaves the position', async () => {
    const inner = countingStream(100);
    let failures = 1;
    const stream: TokenStream = {
      ...inner,
      read: async (start, out) => {
        if (start > 50 && failures-- > 0) throw new Error('disk');
        return inner.read(start, out);
      },
    };
    const source = shuffledWindows(stream, { rows: 9, length: 10, seed: 1 });
    const before = source.position();
    await expect(source.next()).rejects.toThrow('disk');
    expect(source.position()).toEqual(before);
    expect(await source.next()).toEqual(await shuffledWindows(inner, { rows: 9, length: 10, seed: 1 }).next());
  });
});

describe('carriedRows', () => {
  test('each row walks on through its own part and begins anew where it wraps', async () => {
    await fc.assert(
      fc.asyncProperty(shape, async ({ rows, length, more, seed }) => {
        const source = carriedRows(countingStream(rows * length + 1 + more), { rows, length, seed });
        for (let epoch = 0; epoch < 3; epoch++) {
          const batches = await take(source, source.batchesPerEpoch);
          const walks = batches.map((batch) => starts(batch, length));
          for (const [i, walk] of walks.entries()) {
            expect([...batches[i]!.restarts]).toEqual(new Array(rows).fill(i === 0 ? 1 : 0));
            expect(walk).toEqual(walks[0]!.map((start) => start + i * length));
          }
          expect(new Set(walks.flat()).size).toBe(walks.flat().length);
        }
      }),
      { numRuns: 80 },
    );
  });

  test('what an epoch leaves out, others take', async () => {
    const tokens = 3 * 10 * 4 + 29;
    const source = carriedRows(countingStream(tokens), { rows: 3, length: 10, seed: 1 });
    const seen = new Set<number>();
    for (const batch of await take(source, 200 * source.batchesPerEpoch)) for (const id of batch.targets) seen.add(id);
    expect(seen.size).toBe(tokens - 1);
  });

  test('seek is exact', async () => {
    await fc.assert(
      fc.asyncProperty(shape, async ({ rows, length, more, seed, before, after }) => {
        const make = (): BatchSource => carriedRows(countingStream(rows * length + 1 + more), { rows, length, seed });
        await expectExactSeek(make, before, after);
      }),
      { numRuns: 60 },
    );
  });
});

describe('validationWindows', () => {
  test('every token but the first is a target exactly once, in order, and again after the end', async () => {
    await fc.assert(
      fc.asyncProperty(shape, async ({ rows, length, more }) => {
        const tokens = 2 + more;
        const source = validationWindows(countingStream(tokens), { rows, length });
        const batches = await take(source, source.batches);
        const targets = batches.flatMap((batch) => [...batch.targets]).filter((target) => target !== IGNORE);
        expect(targets).toEqual(Array.from({ length: tokens - 1 }, (_, i) => i + 1));
        for (const batch of batches) {
          expect(batch.restarts.every((restart) => restart === 1)).toBe(true);
          for (const [i, target] of batch.targets.entries()) {
            expect(batch.tokens[i]).toBe(target === IGNORE ? 0 : target - 1);
          }
        }
        expect(await take(source, source.batches)).toEqual(batches);
      }),
      { numRuns: 80 },
    );
  });

  test('a number of batches takes whole windows from all over the set', async () => {
    const source = validationWindows(countingStream(1001), { rows: 2, length: 10, batches: 5 });
    expect(source.batches).toBe(5);
    const first = (await take(source, 5)).flatMap((batch) => starts(batch, 10));
    expect(first).toEqual([0, 100, 200, 300, 400, 500, 600, 700, 800, 900]);
    const all = validationWindows(countingStream(101), { rows: 2, length: 10, batches: 50 });
    expect(all.batches).toBe(5);
  });

  test('seek is exact', async () => {
    await fc.assert(
      fc.asyncProperty(shape, async ({ rows, length, more, before, after }) => {
        await expectExactSeek(() => validationWindows(countingStream(2 + more), { rows, length }), before, after);
      }),
      { numRuns: 40 },
    );
  });
});

describe('mixtures', () => {
  const parts = (seed: number, weights: readonly number[]): { source: BatchSource; weight: number }[] =>
    weights.map((weight, i) => ({
      source: shuffledWindows(countingStream(100 + 50 * i, `part ${i}`), { rows: 1, length: 10, seed }),
      weight,
    }));

  test('rows come in proportion to the weights, each part in its own order', async () => {
    const streams = [7, 8].map((first): TokenStream => {
      const inner = countingStream(200, `${first}`);
      return { ...inner, read: async (_, out) => void out.fill(first) };
    });
    const sources = streams.map((stream) => shuffledWindows(stream, { rows: 1, length: 4, seed: 1 }));
    const mixed = weightedMixture(
      [
        { source: sources[0]!, weight: 3 },
        { source: sources[1]!, weight: 1 },
      ],
      { rows: 10, seed: 5 },
    );
    const rows = (await take(mixed, 400)).flatMap((batch) =>
      Array.from({ length: 10 }, (_, row) => batch.tokens[row * 4]),
    );
    const sevens = rows.filter((id) => id === 7).length;
    // Five standard deviations.
    expect(Math.abs(sevens - 3000)).toBeLessThan(5 * Math.sqrt(4000 * 0.75 * 0.25));
    expect(rows.every((id) => id === 7 || id === 8)).toBe(true);
  });

  test('seek is exact', async () => {
    await fc.assert(
      fc.asyncProperty(shape, async ({ rows, seed, before, after }) => {
        await expectExactSeek(() => weightedMixture(parts(seed, [1, 0.2, 5]), { rows, seed }), before, after);
        const carried = (): BatchSource =>
          sideBySide([
            carriedRows(countingStream(130), { rows, length: 10, seed }),
            carriedRows(countingStream(99), { rows: 2, length: 10, seed }),
          ]);
        await expectExactSeek(carried, before, after);
      }),
      { numRuns: 40 },
    );
  });

  test('side by side: rows stay where they are', async () => {
    const both = sideBySide([
      carriedRows(countingStream(41), { rows: 2, length: 10, seed: 1 }),
      carriedRows(countingStream(31), { rows: 1, length: 10, seed: 1 }),
    ]);
    const batches = await take(both, 6);
    expect(both.rows).toBe(3);
    expect(batches.map((batch) => starts(batch, 10))).toEqual([
      [0, 20, 0],
      [10, 30, 10],
      [0, 20, 20],
      [10, 30, 0],
      [0, 20, 10],
      [10, 30, 20],
    ]);
    expect(batches.map((batch) => [...batch.restarts])).toEqual([
      [1, 1, 1],
      [0, 0, 0],
      [1, 1, 0],
      [0, 0, 1],
      [1, 1, 0],
      [0, 0, 0],
    ]);
  });

  test('a failing part takes the others back with it', async () => {
    const inner = countingStream(99, 'b');
    let failing = true;
    const flaky: TokenStream = {
      ...inner,
      read: async (start, out) => {
        if (failing) throw new Error('disk');
        return inner.read(start, out);
      },
    };
    const one = (stream: TokenStream): BatchSource => shuffledWindows(stream, { rows: 1, length: 10, seed: 1 });
    const make = (second: TokenStream): BatchSource[] => [
      weightedMixture(
        [
          { source: one(countingStream(80)), weight: 1 },
          { source: one(second), weight: 1 },
        ],
        { rows: 8, seed: 2 },
      ),
      sideBySide([one(countingStream(80)), one(second)]),
    ];
    const wanted = make(inner);
    for (const [i, source] of make(flaky).entries()) {
      failing = true;
      const before = source.position();
      await expect(source.next()).rejects.toThrow('disk');
      expect(source.position()).toEqual(before);
      failing = false;
      expect(await source.next()).toEqual(await wanted[i]!.next());
    }
  });

  test('rows are apportioned as near to the weights as can be', () => {
    expect(apportionRows(8, [3, 1])).toEqual([6, 2]);
    expect(apportionRows(7, [1, 1, 1])).toEqual([3, 2, 2]);
    expect(apportionRows(1, [0.5])).toEqual([1]);
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 10, max: 100 }), { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 100, max: 300 }),
        (weights, rows) => {
          const given = apportionRows(rows, weights);
          const sum = weights.reduce((a, b) => a + b, 0);
          expect(given.reduce((a, b) => a + b, 0)).toBe(rows);
          for (const [i, count] of given.entries())
            expect(Math.abs(count - (rows * weights[i]!) / sum)).toBeLessThan(1);
        },
      ),
    );
    expect(() => apportionRows(4, [0.95, 0.05])).toThrow(/weight 0.05 .*gets none of 4 rows/);
  });
});

describe('bad input', () => {
  const options = { rows: 2, length: 10, seed: 1 };

  test('a corpus shorter than one sequence', () => {
    expect(() => shuffledWindows(countingStream(10), options)).toThrow(/at least 11 tokens, .*got a corpus of 10/);
    expect(() => carriedRows(countingStream(20), options)).toThrow(/at least 21 tokens/);
    expect(() => validationWindows(countingStream(1), options)).toThrow(/at least 2 tokens/);
  });

  test('options out of range', () => {
    for (const wrong of [{ rows: 0 }, { rows: 1.5 }, { length: 0 }, { seed: -1 }, { seed: Number.NaN }]) {
      for (const make of [shuffledWindows, carriedRows]) {
        expect(() => make(countingStream(100), { ...options, ...wrong })).toThrow(/must be an integer/);
      }
    }
    expect(() => validationWindows(countingStream(100), { ...options, batches: 0 })).toThrow(/batches must be/);
    const source = shuffledWindows(countingStream(100), options);
    expect(() => weightedMixture([{ source, weight: 1 }], { rows: 2, seed: 1 })).toThrow(/must have one row/);
    expect(() => weightedMixture([], { rows: 2, seed: 1 })).toThrow(/got none/);
    const one = shuffledWindows(countingStream(100), { ...options, rows: 1 });
    for (const weight of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => weightedMixture([{ source: one, weight }], { rows: 2, seed: 1 })).toThrow(/positive/);
    }
    const other = shuffledWindows(countingStream(100), { ...options, rows: 1, length: 5 });
    expect(() => sideBySide([one, other])).toThrow(/one length, got 10, 5/);
  });

  test('positions of other data, options or kinds change nothing', async () => {
    const make = (): BatchSource => shuffledWindows(countingStream(100), options);
    const others = [
      shuffledWindows(countingStream(101), options),
      shuffledWindows(countingStream(100), { ...options, seed: 2 }),
      shuffledWindows(countingStream(100), { ...options, length: 9 }),
      carriedRows(countingStream(100), options),
      validationWindows(countingStream(100), options),
    ].map((source) => source.position());
    const own = make().position() as Record<string, unknown>;
    const wrong = [...others, null, 5, 'x', {}, { ...own, epoch: -1 }, { ...own, index: 1e9 }, { ...own, index: 0.5 }];
    for (const position of wrong) {
      const source = make();
      await source.next();
      const before = source.position();
      await expect(source.seek(position)).rejects.toMatchObject({ name: 'ConfigError' });
      expect(source.position()).toEqual(before);
    }
    const one = { ...options, rows: 1 };
    const mix = (tokens: number): BatchSource =>
      weightedMixture(
        [90, tokens].map((each) => ({ source: shuffledWindows(countingStream(each), one), weight: 1 })),
        { rows: 4, seed: 1 },
      );
    const mixed = mix(95);
    await take(mixed, 3);
    const before = mixed.position();
    await expect(mixed.seek(mix(96).position())).rejects.toMatchObject({ name: 'ConfigError' });
    expect(mixed.position()).toEqual(before);
  });

  test('closing closes the streams', async () => {
    const streams = [countingStream(100), countingStream(100), countingStream(100)];
    const one = { ...options, rows: 1 };
    const source = sideBySide([
      weightedMixture([{ source: shuffledWindows(streams[0]!, one), weight: 1 }], { rows: 1, seed: 1 }),
      carriedRows(streams[1]!, options),
      validationWindows(streams[2]!, options),
    ]);
    await source.close();
    expect(streams.map((stream) => stream.closed)).toEqual([true, true, true]);
  });
});
