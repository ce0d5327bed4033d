import { Arena, type Device, type DeviceBuffer } from '@xlstm/device';
import { type Bench, compare, Random } from '@xlstm-tooling/kernel-harness';
import { headMajor, type Operand } from '../layout.ts';
import type { MlstmShape } from '../shape.ts';
import { mlstmStateLength } from '../state.ts';
import { mlstmChunkwise } from './mlstm-chunkwise.ts';
import { mlstmChunkwiseBackward } from './mlstm-chunkwise-backward.ts';

type Widths = Readonly<Record<'q' | 'k' | 'v' | 'i' | 'f', number>>;

/** All buffers of one call, forward and backward; larger than memory may hold twice, so noise is made once and repeated. */
class Call {
  readonly shape: MlstmShape;
  readonly #device: Device;
  readonly #arena: Arena;
  readonly #made: DeviceBuffer[] = [];
  readonly #inputs: Record<'q' | 'k' | 'v' | 'i' | 'f' | 'h', Operand>;
  readonly #gradients: Record<'dq' | 'dk' | 'dv' | 'di' | 'df', Operand>;
  readonly #dh: Operand;
  readonly #readout: DeviceBuffer;
  readonly #initial: DeviceBuffer;
  readonly #state: DeviceBuffer;

  constructor(device: Device, shape: MlstmShape) {
    this.shape = shape;
    this.#device = device;
    this.#arena = new Arena(device);
    const rows = shape.B * shape.NH * shape.S;
    const widths: Widths = { q: shape.DHQK, k: shape.DHQK, v: shape.DHHV, i: 1, f: 1 };
    const make = (length: number, mean?: number): DeviceBuffer => {
      const buffer = device.alloc('fp32', length, { owner: 'bench' });
      this.#made.push(buffer);
      if (mean !== undefined) this.#fill(buffer, mean);
      return buffer;
    };
    const operand = (width: number, mean?: number): Operand => ({
      buffer: make(rows * width, mean),
      layout: headMajor(shape, width),
    });
    this.#inputs = {
      q: operand(widths.q, 0),
      k: operand(widths.k, 0),
      v: operand(widths.v, 0),
      i: operand(1, 0),
      f: operand(1, 3),
      h: operand(shape.DHHV),
    };
    this.#gradients = {
      dq: operand(widths.q),
      dk: operand(widths.k),
      dv: operand(widths.v),
      di: operand(1),
      df: operand(1),
    };
    this.#dh = operand(shape.DHHV, 0);
    this.#readout = make(2 * rows);
    this.#initial = make(mlstmStateLength(shape));
    this.#state = make(mlstmStateLength(shape));
  }

  forward(chunkSize: number): void {
    this.#device.clear(this.#state);
    mlstmChunkwise(
      this.#arena,
      this.shape,
      { ...this.#inputs, state: this.#state, readout: this.#readout },
      { chunkSize },
    );
  }

  backward(chunkSize: number): void {
    mlstmChunkwiseBackward(
      this.#arena,
      this.shape,
      { ...this.#inputs, dh: this.#dh, readout: this.#readout, initial: this.#initial },
      this.#gradients,
      { chunkSize },
    );
  }

  async gradient(name: 'dq' | 'df'): Promise<Float32Array> {
    return (await this.#device.read(this.#gradients[name].buffer)) as Float32Array;
  }

  dispose(): void {
    for (const buffer of this.#made) buffer.dispose();
    this.#arena.dispose();
  }

  /** Noise in pieces of a million, copied on by doubling. */
  #fill(buffer: DeviceBuffer, mean: number): void {
    const piece = Math.min(buffer.length, 1 << 20);
    const noise = new Random(7 + this.#made.length).tensor(piece, 'fp32', 1, mean);
    const source = this.#device.from('fp32', noise.data);
    for (let at = 0; at < buffer.length; at += piece) {
      this.#device.copy(source, buffer, 0, at, Math.min(piece, buffer.length - at));
    }
    source.dispose();
  }
}

async function time(device: Device, run: () => void, repeats: number): Promise<number> {
  run();
  const times: number[] = [];
  for (let repeat = 0; repeat < repeats; repeat++) {
    await device.sync();
    const start = performance.now();
    run();
    await device.sync();
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[times.length >> 1]!;
}

/** Gate: two chunk sizes must agree, in outputs and gradients. */
async function check(device: Device): Promise<void> {
  const call = new Call(device, { B: 1, NH: 2, S: 200, DHQK: 32, DHHV: 64 });
  const results: Float32Array[][] = [];
  for (const chunkSize of [32, 128]) {
    call.forward(chunkSize);
    call.backward(chunkSize);
    results.push([await call.gradient('dq'), await call.gradient('df')]);
  }
  call.dispose();
  const tolerance = { relativeRms: 1e-4, atol: 1e-3, rtol: 1e-2, reason: 'forms add up in another order' };
  for (const [at, expected] of results[0]!.entries()) {
    const { pass, relativeRms } = compare(results[1]![at]!, expected, tolerance);
    if (!pass) throw new Error(`mlstm-training: chunk sizes disagree (relative RMS ${relativeRms}); not timing it`);
  }
}

/** FLOPs of a forward pass: within chunks, half of the products are masked; states and readouts beside them. */
function forwardFlops({ B, NH, S, DHQK, DHHV }: MlstmShape, L: number): number {
  return B * NH * S * (L * (DHQK + DHHV) + 4 * DHQK * DHHV);
}

const bench: Bench = {
  id: 'mlstm-training',
  async run(device, report, skip) {
    await check(device);
    if (device.kind === 'cpu' || device.info.software) {
      skip('mlstm-training, 8 x 8,192 steps', 'too much for a device in software');
      return;
    }
    for (const [NH, DHQK, DHHV] of [
      [8, 256, 512],
      [16, 128, 256],
    ] as const) {
      const call = new Call(device, { B: 8, NH, S: 8192, DHQK, DHHV });
      try {
        for (const chunkSize of [64, 128]) {
          const forward = await time(device, () => call.forward(chunkSize), 5);
          const both = await time(
            device,
            () => {
              call.forward(chunkSize);
              call.backward(chunkSize);
            },
            3,
          );
          const flops = forwardFlops(call.shape, chunkSize);
          const name = `mLSTM 8 x ${NH} x 8192, ${DHQK}/${DHHV}, chunks of ${chunkSize}`;
          report({
            name: `${name}, forward`,
            device: device.name,
            microseconds: 1e3 * forward,
            gigaflopsPerSecond: flops / forward / 1e6,
          });
          report({ name: `${name}, forward and backward`, device: device.name, microseconds: 1e3 * both });
        }
      } finally {
        call.dispose();
      }
    }
  },
};
export default bench;
