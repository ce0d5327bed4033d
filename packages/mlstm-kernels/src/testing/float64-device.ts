import { type AllocOptions, CpuDevice, type DeviceBuffer, type Dtype, type NumberArray } from '@xlstm/device';

/**
 * The CPU device with float64 where others have fp32, so that differences of a loss are not lost in rounding.
 * References run on it as they are.
 */
export class Float64Device extends CpuDevice {
  protected override allocate(dtype: Dtype, length: number, owner: string, label: string): DeviceBuffer {
    const buffer = super.allocate(dtype, length, owner, label);
    if (dtype === 'fp32') (buffer as unknown as { data: Float64Array }).data = new Float64Array(length);
    return buffer;
  }

  override from(dtype: Dtype, data: NumberArray, options: AllocOptions = {}): DeviceBuffer {
    const buffer = this.alloc(dtype, data.length, options);
    this.write(buffer, data, 0);
    return buffer;
  }
}
