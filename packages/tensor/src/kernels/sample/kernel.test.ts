import { Arena, type Device } from '@xlstm/device';
import { Random } from '@xlstm-tooling/kernel-harness';
import { describeDevices, testKernel } from '@xlstm-tooling/kernel-harness/test';
import { describe, expect, it } from 'vitest';
import { Scope } from '../../scope.ts';
import { Tensor } from '../../tensor.ts';
import { sampleRows, sampleToken, samplingSettings } from './index.ts';
import type { SamplingOptions } from './options.ts';
import { spec } from './spec.ts';

await testKernel(spec);

/**
 * The distribution that sampling promises, by sorting: [V] probabilities, 0 where a token may never be drawn. Apart from
 * the kernel on purpose.
 */
function naiveDistribution(
  logits: ArrayLike<number>,
  seen: ArrayLike<number>,
  { temperature = 1, topK = 0, topP = 1, minP = 0, repetitionPenalty = 1 }: SamplingOptions,
): number[] {
  const scaled = Array.from(logits, (logit, v) => {
    const value = seen[v] ? (logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty) : logit;
    return value / temperature;
  });
  const descending = scaled.filter((value) => !Number.isNaN(value)).sort((a, b) => b - a);
  const most = descending[0]!;
  const kth = topK > 0 && topK < descending.length ? descending[topK - 1]! : Number.NEGATIVE_INFINITY;
  const kept = descending.filter((value) => value >= kth);
  const sum = kept.reduce((total, value) => total + Math.exp(value - most), 0);
  let lowest = kth;
  if (topP < 1) {
    let running = 0;
    for (const value of kept) {
      running += Math.exp(value - most) / sum;
      lowest = value;
      if (running >= topP) break;
    }
  }
  const weights = scaled.map((value) => {
    const weight = value >= lowest ? Math.exp(value - most) : 0;
    return weight >= minP ? weight : 0;
  });
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / total);
}

/** `launches` times one token for each of `rows` rows of the same logits. */
async function drawMany(
  device: Device,
  logits: ArrayLike<number>,
  seen: ArrayLike<number> | undefined,
  rows: number,
  launches: number,
  options: SamplingOptions,
): Promise<number[]> {
  using arena = new Arena(device);
  using scope = new Scope(arena);
  const V = logits.length;
  const repeat = (row: ArrayLike<number>) => Array.from({ length: rows * V }, (_, index) => row[index % V]!);
  const tensors = {
    logits: scope.tensor([rows, V]),
    token: scope.tensor([rows], 'i32'),
    counter: scope.tensor([rows], 'u32'),
    seen: seen && scope.tensor([rows, V], 'u32'),
  };
  device.upload(tensors.logits.buffer, Float32Array.from(repeat(logits)));
  device.upload(tensors.counter.buffer, new Uint32Array(rows));
  const tokens: number[] = [];
  for (let launch = 0; launch < launches; launch++) {
    // Every launch starts from the same tokens seen, not from those and what was drawn.
    if (tensors.seen && seen) device.upload(tensors.seen.buffer, Uint32Array.from(repeat(seen)));
    sampleToken(scope, tensors, options);
    tokens.push(...(await device.read(tensors.token.buffer)));
  }
  expect([...(await device.read(tensors.counter.buffer))]).toEqual(new Array(rows).fill(launches));
  return tokens;
}

/** Pearson's statistic against a bound that a right sampler exceeds about once in a million fixed seeds. */
function expectDistribution(tokens: readonly number[], probabilities: readonly number[]): void {
  const counts = new Array<number>(probabilities.length).fill(0);
  for (const token of tokens) counts[token]!++;
  let statistic = 0;
  let cells = 0;
  probabilities.forEach((probability, token) => {
    if (probability === 0) {
      expect(counts[token], `token ${token} may never be drawn`).toBe(0);
      return;
    }
    const expected = probability * tokens.length;
    statistic += (counts[token]! - expected) ** 2 / expected;
    cells++;
  });
  const freedom = cells - 1;
  expect(statistic).toBeLessThanOrEqual(freedom + 6 * Math.sqrt(2 * freedom) + (freedom > 0 ? 8 : 0));
}

const logits = [1.5, -0.5, 2, 0.25, 1.75, -1, 0.25, 0.75, 1, -2];
const seen = [1, 0, 1, 0, 0, 1, 0, 1, 0, 0];

await describeDevices('sampleToken', (device) => {
  describe('draws with the promised probabilities', () => {
    it.each([
      [{}],
      [{ temperature: 0.6 }],
      [{ temperature: 2.5 }],
      [{ topK: 4 }],
      // The two at 0.25 tie for the seventh place, and both stay.
      [{ topK: 7 }],
      [{ topP: 0.75 }],
      [{ minP: 0.2 }],
      [{ repetitionPenalty: 1.8 }],
      [{ temperature: 1.4, topK: 8, topP: 0.9, minP: 0.15, repetitionPenalty: 1.2 }],
    ] satisfies [SamplingOptions][])('%o', async (options) => {
      const tokens = await drawMany(device, logits, seen, 1000, 1, { ...options, seed: 20240521 });
      expectDistribution(tokens, naiveDistribution(logits, seen, options));
    });

    it('over the launches of a row, too', async () => {
      const tokens = await drawMany(device, logits, undefined, 50, 20, { seed: 99n << 32n });
      expectDistribution(tokens, naiveDistribution(logits, seen, {}));
    });
  });

  it('draws only what a sort-based filter keeps', async () => {
    const random = new Random(77);
    for (let round = 0; round < 12; round++) {
      // Halves make ties likely.
      const row = Array.from({ length: 40 }, () => Math.round(2 * random.normal()) / 2);
      const options: SamplingOptions = {
        temperature: 0.5 + 2 * random.uniform(),
        topK: random.integer(30),
        topP: 0.3 + 0.69 * random.uniform(),
        minP: random.uniform() < 0.5 ? 0 : 0.3 * random.uniform(),
      };
      const probabilities = naiveDistribution(row, [], options);
      const tokens = await drawMany(device, row, undefined, 200, 1, { ...options, seed: round });
      for (const token of tokens) expect(probabilities[token], `token ${token}, round ${round}`).toBeGreaterThan(0);
      probabilities.forEach((probability, token) => {
        // Missed with probability 0.92^200 = 6e-8.
        if (probability > 0.08) expect(tokens, `token ${token}, round ${round}`).toContain(token);
      });
    }
  });

  it('is greedy at temperature 0, after the penalty, lowest index first', async () => {
    const row = [1, 3, 2.5, 2.5];
    expect(await drawMany(device, row, [0, 0, 0, 0], 2, 1, { temperature: 0 })).toEqual([1, 1]);
    const options = { temperature: 0, repetitionPenalty: 2 };
    expect(await drawMany(device, row, [0, 1, 0, 0], 2, 1, options)).toEqual([2, 2]);
    expect(await drawMany(device, [-1, -3, -1.5], [1, 0, 0], 1, 1, options)).toEqual([2]);
  });

  it('marks the chosen token as seen, and a recorded draw goes on', async () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const tensors = {
      logits: scope.tensor([1, 4]),
      token: scope.tensor([1], 'i32'),
      counter: scope.tensor([1], 'u32'),
      seen: scope.tensor([1, 4], 'u32'),
    };
    device.upload(tensors.logits.buffer, Float32Array.of(5, 4, 3, 2));
    device.upload(tensors.counter.buffer, Uint32Array.of(0));
    device.upload(tensors.seen.buffer, new Uint32Array(4));
    const program = device.record(() => sampleToken(scope, tensors, { temperature: 0, repetitionPenalty: 100 }));
    const tokens: number[] = [];
    for (let step = 0; step < 4; step++) {
      program.run();
      tokens.push(...(await device.read(tensors.token.buffer)));
    }
    program.dispose();
    expect(tokens).toEqual([0, 1, 2, 3]);
    expect([...(await device.read(tensors.seen.buffer))]).toEqual([1, 1, 1, 1]);
  });

  it('draws each row of a batch with settings of its own, as it is drawn alone, also after they change', async () => {
    const V = 60;
    const rows: SamplingOptions[] = [
      { temperature: 0, seed: 1 },
      { temperature: 1.5, seed: 2 },
      { temperature: 2, topK: 7, seed: 3 },
      { topP: 0.7, repetitionPenalty: 3, seed: 4n << 33n },
      { temperature: 0, repetitionPenalty: 50, seed: 5 },
      { minP: 0.1, temperature: 1.2, topK: 1000, seed: 6 },
    ];
    const B = rows.length;
    const random = new Random(3);
    const logits = Array.from(rows, () => Float32Array.from({ length: V }, () => 2 * random.normal()));
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const make = (count: number) => {
      const tensors = {
        logits: scope.tensor([count, V]),
        token: scope.tensor([count], 'i32'),
        counter: scope.tensor([count], 'u32'),
        seen: scope.tensor([count, V], 'u32'),
      };
      device.clear(tensors.counter.buffer);
      device.clear(tensors.seen.buffer);
      return tensors;
    };
    const alone: number[][] = [];
    for (const [row, options] of rows.entries()) {
      const tensors = make(1);
      device.upload(tensors.logits.buffer, logits[row]!);
      const tokens: number[] = [];
      for (let step = 0; step < 6; step++) {
        sampleToken(scope, tensors, options);
        tokens.push(...(await device.read(tensors.token.buffer)));
      }
      alone.push(tokens);
    }
    const tensors = { ...make(B), settings: scope.tensor([B, 8], 'u32') };
    const place = (row: number, from: number) => {
      device.upload(tensors.logits.buffer, logits[from]!, row * V);
      device.upload(tensors.settings.buffer, samplingSettings(rows[from]!, V), row * 8);
    };
    rows.forEach((_, row) => {
      place(row, row);
    });
    const program = device.record(() => sampleRows(scope, tensors));
    const tokens = async () => {
      const drawn: number[][] = [];
      for (let step = 0; step < 6; step++) {
        program.run();
        drawn.push([...(await device.read(tensors.token.buffer))]);
      }
      return rows.map((_, row) => drawn.map((step) => step[row]!));
    };
    expect(await tokens()).toEqual(alone);
    // The same program, when other sequences have taken the places.
    device.clear(tensors.counter.buffer);
    device.clear(tensors.seen.buffer);
    rows.forEach((_, row) => {
      place(row, B - 1 - row);
    });
    expect((await tokens()).reverse()).toEqual(alone);
    program.dispose();
  });

  it('repeats with a seed and differs without', async () => {
    const draw = (options: SamplingOptions) => drawMany(device, logits, undefined, 100, 1, options);
    expect(await draw({ seed: 3 })).toEqual(await draw({ seed: 3n }));
    expect(await draw({ seed: 3 })).not.toEqual(await draw({ seed: 4 }));
    expect(await draw({ seed: 3 })).not.toEqual(await draw({ seed: 3n + (1n << 32n) }));
    expect(await draw({})).not.toEqual(await draw({}));
  });

  it('refuses what does not fit together', () => {
    using arena = new Arena(device);
    using scope = new Scope(arena);
    const tensors = {
      logits: scope.tensor([2, 4]),
      token: scope.tensor([2], 'i32'),
      counter: scope.tensor([2], 'u32'),
    };
    const refuse = (change: object, options: SamplingOptions, message: RegExp) =>
      expect(() => sampleToken(scope, { ...tensors, ...change }, options)).toThrow(message);
    refuse({}, { topP: 0 }, /sampleToken: topP/);
    refuse({}, { repetitionPenalty: 1.1 }, /needs the tokens seen so far; pass seen/);
    refuse({ logits: scope.tensor([2, 1, 4]) }, {}, /logits must be \[B, V\], got \[2,1,4\]/);
    refuse({ logits: scope.tensor([2, 8]).columns(4, 4) }, {}, /logits must be contiguous/);
    refuse({ token: new Tensor(scope.tensor([3], 'i32').buffer, [3]) }, {}, /token must be \[2\]/);
    refuse({ token: scope.tensor([2]) }, {}, /token must be i32, got fp32/);
    refuse({ seen: scope.tensor([4], 'u32') }, {}, /seen must be \[2,4\]/);
    const settings = scope.tensor([2, 7], 'u32');
    expect(() => sampleRows(scope, { ...tensors, settings })).toThrow(/sampleRows: settings must be \[2,8\]/);
    expect(() => samplingSettings({ topP: 3 }, 4)).toThrow(/samplingSettings: topP/);
  });
});
