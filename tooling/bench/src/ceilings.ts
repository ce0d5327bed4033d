import { type Device, type DeviceBuffer, DeviceError } from '@xlstm/device';
import { measure } from '@xlstm-tooling/kernel-harness';
import { fmaFlops, fmaKernel } from './fused-multiply-add.ts';
import { streamCopyKernel } from './stream-copy.ts';

/** What a device can do at most, as measured on it just now. */
export interface Ceilings {
  /** Bytes read plus bytes written, of one large copy: by the copy command or by a kernel, whichever is faster. */
  copyGigabytesPerSecond: number;
  copyBytes: number;
  /** float32 multiply-adds in WGSL or JavaScript, without memory; tensor cores are not in it. */
  fmaGigaflopsPerSecond: number;
}

const MEBIBYTE = 2 ** 20;

async function measureCopy(device: Device, bytes: number): Promise<number> {
  const buffers = [0, 1].map((index) => device.alloc('u32', bytes / 4, { owner: 'bench', label: `copy ${index}` }));
  try {
    const [one, other] = buffers as [DeviceBuffer, DeviceBuffer];
    const command = await measure(device, (index) => {
      device.copy(index % 2 ? one : other, index % 2 ? other : one);
    });
    const kernel = await measure(device, (index) => {
      const [x, y] = index % 2 ? [one, other] : [other, one];
      device.launch(streamCopyKernel, { buffers: { x, y }, params: { vectors: bytes / 16 } });
    });
    return (2 * bytes) / Math.min(command, kernel) / 1e6;
  } finally {
    for (const buffer of buffers) buffer.dispose();
  }
}

async function measureFma(device: Device, n: number, iterations: number): Promise<number> {
  const y = device.alloc('fp32', n, { owner: 'bench', label: 'fma' });
  try {
    const launch = { buffers: { y }, params: { n, iterations, a: 0.5, b: 1 } };
    const milliseconds = await measure(device, () => device.launch(fmaKernel, launch));
    // Each of 32 chains tends to b / (1 - a) = 2.
    const [value = Number.NaN] = await device.read(y, n - 1, 1);
    if (!(Math.abs(value - 64) < 1e-3)) {
      throw new DeviceError(`bench: the device computes ${value} where 64 is right; its times mean nothing`);
    }
    return fmaFlops(n, iterations) / milliseconds / 1e6;
  } finally {
    y.dispose();
  }
}

/** Measures the ceilings: buffers of 1 GiB on a GPU, smaller ones where a CPU computes. */
export async function measureCeilings(device: Device): Promise<Ceilings> {
  const software = device.kind === 'cpu' || device.info.software;
  const copyBytes = software ? 32 * MEBIBYTE : Math.min(1024 * MEBIBYTE, Math.floor(device.maxBufferBytes / 16) * 16);
  return {
    copyBytes,
    copyGigabytesPerSecond: await measureCopy(device, copyBytes),
    fmaGigaflopsPerSecond: software ? await measureFma(device, 4096, 64) : await measureFma(device, 2 ** 20, 2048),
  };
}
