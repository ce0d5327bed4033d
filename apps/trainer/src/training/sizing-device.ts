import {
  Device,
  DeviceBuffer,
  type DeviceInfo,
  type DeviceKind,
  type Kernel,
  type NumberArray,
  type Program,
} from '@xlstm/device';
import { type Dtype, newArray } from '@xlstm/device/dtypes';

class SizedBuffer extends DeviceBuffer {
  readonly #onRelease: () => void;

  constructor(device: Device, dtype: Dtype, length: number, owner: string, label: string, onRelease: () => void) {
    super(device, dtype, length, owner, label);
    this.#onRelease = onRelease;
  }

  protected release(): void {
    this.#onRelease();
  }
}

const NOTHING: Omit<Program, 'label'> = {
  dispatches: 0,
  run: () => {},
  profile: async () => [],
  dispose: () => {},
  [Symbol.dispose]: () => {},
};

/**
 * Stands for another device and takes the same calls, but allocates and computes nothing: afterwards its ledger says what
 * the same calls hold there. Reads give zeros.
 */
export class SizingDevice extends Device {
  readonly kind: DeviceKind;
  readonly info: DeviceInfo;
  readonly maxBufferBytes: number;
  readonly memoryBytes: number | undefined;
  readonly compiledPipelines = 0;
  readonly lost: Promise<Error> = new Promise(() => {});
  readonly #like: Device;

  constructor(like: Device) {
    super();
    this.#like = like;
    this.kind = like.kind;
    this.info = like.info;
    this.maxBufferBytes = like.maxBufferBytes;
    this.memoryBytes = like.memoryBytes;
  }

  launch(): void {
    this.assertUsable('launch');
  }

  record(build: () => void, label = 'program'): Program {
    this.assertUsable('record');
    build();
    return { label, ...NOTHING };
  }

  async prepare(build: () => void): Promise<void> {
    this.record(build, 'prepare').dispose();
  }

  flush(): void {}

  async sync(): Promise<void> {}

  variants(kernel: Kernel): readonly string[] {
    return this.#like.variants(kernel);
  }

  protected allocate(dtype: Dtype, length: number, owner: string, label: string): DeviceBuffer {
    const buffer: DeviceBuffer = new SizedBuffer(this, dtype, length, owner, label, () =>
      this.ledger.remove(owner, bytesOf(buffer)),
    );
    this.ledger.add(owner, bytesOf(buffer));
    return buffer;
  }

  protected write(): void {}

  protected async fetch(buffer: DeviceBuffer, _offset: number, length: number): Promise<NumberArray> {
    return newArray(buffer.dtype, length);
  }

  protected duplicate(): void {}

  protected zero(): void {}

  protected close(): void {}
}

/** Devices allocate whole words. */
function bytesOf({ byteLength }: DeviceBuffer): number {
  return Math.max(4, Math.ceil(byteLength / 4) * 4);
}
