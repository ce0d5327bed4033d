import type { Arena, DeviceBuffer } from '@xlstm/device';
import { nonFiniteKernel, nonFiniteParts } from '../kernels/non-finite/index.ts';
import type { TrainableParameter } from '../parameter.ts';
import type { DifferentiableOperation } from '../scope.ts';

/** Where a computation on a tape first went wrong. */
export interface Anomaly {
  /** The operation, such as `rmsNorm`; inside of what is computed twice `block 3 / rmsNorm`. */
  operation: string;
  /** Its place among all operations of the tape, from 0. */
  index: number;
  /** Which of its outputs, from 0. */
  output: number;
  /** That output's shape. */
  shape: readonly number[];
  /** The parameters among what the operation reads, by the labels of their buffers. */
  parameters: readonly string[];
}

interface Entry extends Anomaly {
  page: number;
  first: number;
  parts: number;
}

/** Numbers of a page of counts; more than one tensor takes. */
const PAGE = 1024;

/** Watches the outputs of operations: what is not finite is counted on the device, and read when somebody asks. */
export class AnomalyWatch {
  readonly #arena: Arena;
  readonly #pages: DeviceBuffer[] = [];
  readonly #entries: Entry[] = [];
  readonly #parameters: ReadonlySet<DeviceBuffer>;
  #next = PAGE;
  #operations = 0;

  constructor(arena: Arena, parameters: readonly Pick<TrainableParameter, 'value'>[]) {
    this.#arena = arena;
    this.#parameters = new Set(parameters.map(({ value }) => value.buffer));
  }

  /** Queues the counts of an operation's outputs; recordable. */
  add(operation: string, { inputs, outputs }: Pick<DifferentiableOperation, 'inputs' | 'outputs'>): void {
    const index = this.#operations++;
    const parameters = inputs.flatMap((input) =>
      input && this.#parameters.has(input.buffer) ? [input.buffer.label] : [],
    );
    for (const [output, { buffer, shape }] of outputs.entries()) {
      if (buffer.dtype !== 'fp32' || buffer.length === 0) continue;
      const parts = nonFiniteParts(buffer.length);
      if (this.#next + parts > PAGE) {
        this.#pages.push(this.#arena.alloc('u32', PAGE, 'counts of NaN and infinity'));
        this.#next = 0;
      }
      const [page, first] = [this.#pages.length - 1, this.#next];
      this.#arena.device.launch(nonFiniteKernel, {
        buffers: { x: buffer, counts: this.#pages[page]! },
        params: { length: buffer.length, first, parts },
      });
      this.#next += parts;
      this.#entries.push({ operation, index, output, shape, parameters, page, first, parts });
    }
  }

  /** Waits for the device. */
  async first(): Promise<Anomaly | undefined> {
    let counts: ArrayLike<number> = [];
    let read = -1;
    for (const { page, first, parts, ...anomaly } of this.#entries) {
      if (page !== read) {
        counts = await this.#arena.device.read(this.#pages[page]!);
        read = page;
      }
      for (let part = first; part < first + parts; part++) if (counts[part]! > 0) return anomaly;
    }
    return undefined;
  }

  dispose(): void {
    for (const page of this.#pages.splice(0)) this.#arena.release(page);
    this.#entries.length = 0;
  }
}
