import { Arena, type Device, type ProfiledDispatch, type WeightDtype } from '@xlstm/device';
import { Scope } from '@xlstm/tensor';
import type { Bench, BenchResult } from '@xlstm-tooling/kernel-harness';
import type { XlstmLargeConfig } from './config.ts';
import { queueAdvance } from './decoder.ts';
import { type GenerateTimings, generateTokens } from './generate.ts';
import type { XLSTMLarge } from './model.ts';
import { randomXlstmLarge } from './random-weights.ts';
import { idsOf, logitsOf, requireLogits, SEVEN_B, STORIES, withGateModel } from './testing/bench-models.ts';

/** Reads and writes of one decoded token: every weight but the embedding table once, the state twice. */
function bytesPerToken(model: XLSTMLarge, stateBytes: number): number {
  return model.weights.byteLength - model.weights.matrix('embedding').byteLength + 2 * stateBytes;
}

/** The recorded step of one sequence, as a `Decoder` replays it. */
function recordStep(device: Device, model: XLSTMLarge) {
  const state = model.createState();
  const arena = new Arena(device, 'decode');
  const scope = new Scope(arena);
  const token = scope.tensor([1], 'i32', 'token');
  const program = device.record(() => queueAdvance(model, scope, token, state), 'advance');
  state.position = 0;
  const dispose = () => {
    program.dispose();
    scope.dispose();
    arena.dispose();
    state.dispose();
  };
  return { state, token, program, dispose };
}

/** Gate: steps as they are decoded must give the logits of reading all tokens at once. */
async function checkSteps(device: Device, model: XLSTMLarge): Promise<void> {
  const ids = idsOf(model, 21);
  const expected = await logitsOf(model, ids, 'fp32');
  const steps = recordStep(device, model);
  try {
    for (const id of ids) {
      device.upload(steps.token.buffer, Int32Array.of(id));
      steps.program.run();
      await device.sync();
    }
    const actual = (await device.read(steps.state.logits)) as Float32Array;
    requireLogits('decode, steps and all at once', actual, expected.subarray(-actual.length), 2e-3);
  } finally {
    steps.dispose();
  }
}

/** What the launches of a fused step are for, in order; by kernel where a step has others. */
function kindsOf(profile: readonly ProfiledDispatch[], blocks: number): string[] {
  const block = ['q, k, v, o, gates', 'cell', 'out', 'gate, up', 'down'];
  const names = ['embedding', ...Array.from({ length: blocks }, () => block).flat(), 'head'];
  return profile.map(({ kernel }, index) => (profile.length === names.length ? `${names[index]} (${kernel})` : kernel));
}

/** Time of each kind of launch by the device's clock, and of encoding a step by the host's. */
async function profileStep(device: Device, model: XLSTMLarge, name: string, report: (result: BenchResult) => void) {
  const { program, dispose } = recordStep(device, model);
  try {
    let encode = 0;
    const repeats = 20;
    for (let repeat = 0; repeat < repeats; repeat++) {
      const start = performance.now();
      program.run();
      device.flush();
      encode += performance.now() - start;
      await device.sync();
    }
    const kinds = new Map<string, number[]>();
    if (device.kind === 'cpu' || device.info.features.includes('timestamp-query')) {
      await program.profile();
      const profile = await program.profile();
      kindsOf(profile, model.config.numBlocks).forEach((kind, index) => {
        kinds.set(kind, [...(kinds.get(kind) ?? []), profile[index]!.milliseconds * 1e3]);
      });
    }
    for (const [kind, times] of kinds) {
      const total = times.reduce((sum, time) => sum + time, 0);
      const columns = { calls: times.length, 'us a token': total.toFixed(0) };
      report({ name: `${name}: ${kind}`, device: device.name, microseconds: total / times.length, columns });
    }
    return { encodeMilliseconds: encode / repeats };
  } finally {
    dispose();
  }
}

async function timeDecode(device: Device, model: XLSTMLarge, tokens: number) {
  const state = model.createState();
  const stateBytes = state.byteLength - state.logits.byteLength;
  const times: number[] = [];
  let dispatches = 0;
  let prefillRate = 0;
  let firstTokenMs = 0;
  const promptIds = Array.from({ length: 64 }, (_, at) => (at * 31) % model.config.vocabSize);
  const options = {
    promptIds,
    maxNewTokens: tokens,
    temperature: 0,
    eosTokenIds: [],
    state,
    onEnd: ({ timings }: { timings: GenerateTimings }) => {
      dispatches = timings.dispatchesPerToken;
      prefillRate = timings.prefillTokensPerSecond;
      firstTokenMs = timings.firstTokenMs;
    },
  };
  let last = performance.now();
  for await (const _ of generateTokens(model, options)) {
    const now = performance.now();
    times.push(now - last);
    last = now;
  }
  state.dispose();
  const steady = times.slice(Math.min(16, times.length >> 1)).sort((a, b) => a - b);
  const milliseconds = steady.reduce((sum, time) => sum + time, 0) / steady.length;
  return {
    milliseconds,
    dispatches,
    prefillRate,
    firstTokenMs,
    bytes: bytesPerToken(model, stateBytes),
    device: device.name,
  };
}

const bench: Bench = {
  id: 'decode',
  async run(device, report, skip) {
    const slow = device.kind === 'cpu' || device.info.software;
    const shapes: [string, XlstmLargeConfig, WeightDtype, number][] = (['bf16', 'q8', 'q4'] as const).flatMap(
      (dtype) => [
        [`stories shape, ${dtype}`, STORIES, dtype, slow ? 40 : 400],
        [`7B shape, ${dtype}`, SEVEN_B, dtype, 400],
      ],
    );
    for (const [name, config, dtype, tokens] of shapes) {
      if (slow && config.embeddingDim > 1000) {
        skip(`decode ${name}`, '13.7 GB a token are too much for a device in software');
        continue;
      }
      await withGateModel(device, config, dtype, (model) => checkSteps(device, model));
      const model = await randomXlstmLarge(device, config, { dtype });
      try {
        const cold = await timeDecode(device, model, 8);
        const warm = await timeDecode(device, model, 8);
        const result = await timeDecode(device, model, tokens);
        const { encodeMilliseconds } = await profileStep(device, model, `decode ${name}`, report);
        report({
          name: `decode ${name}, batch 1`,
          device: device.name,
          microseconds: result.milliseconds * 1e3,
          gigabytesPerSecond: result.bytes / result.milliseconds / 1e6,
          columns: {
            'tokens/s': (1000 / result.milliseconds).toFixed(1),
            dispatches: result.dispatches,
            'GB a token': (result.bytes / 1e9).toFixed(3),
            'encode ms a token': encodeMilliseconds.toFixed(2),
            'first token ms cold': cold.firstTokenMs.toFixed(0),
            'first token ms warm': warm.firstTokenMs.toFixed(0),
            'prefill 64 tokens/s': result.prefillRate.toFixed(0),
          },
        });
      } finally {
        model.dispose();
      }
    }
  },
};
export default bench;
