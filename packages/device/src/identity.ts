/** The kinds of devices that exist. */
export type DeviceKind = 'webgpu' | 'cpu';

/** What a buffer knows of the device that it lives on. */
export interface DeviceIdentity {
  readonly kind: DeviceKind;
  readonly name: string;
}
