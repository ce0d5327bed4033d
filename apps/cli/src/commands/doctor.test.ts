import { describe, expect, it } from 'vitest';
import { captureRun } from '../testing/captured-run.ts';
import type { DoctorReport } from './doctor.ts';

describe('doctor', () => {
  it('prints one JSON object with every kind of device', async () => {
    const { code, stdout } = await captureRun(['doctor', '--json']);
    expect(code).toBe(0);
    expect(stdout.endsWith('}\n')).toBe(true);
    const report = JSON.parse(stdout) as DoctorReport;
    expect(report.node).toBe(process.version);
    expect(report.memory.total).toBeGreaterThan(report.memory.free);
    expect(report.devices.map(({ kind }) => kind)).toEqual(['webgpu', 'cpu']);
    expect(report.devices.find(({ kind }) => kind === 'cpu')).toMatchObject({ available: true });
    for (const device of report.devices) {
      if (device.available) expect(Object.values(device.limits).every((limit) => limit > 0)).toBe(true);
      else expect(device.reason).toMatch(/^webgpu: .+/);
    }
    const taken = report.devices.find(({ kind }) => kind === report.auto.kind);
    expect(taken).toMatchObject({ available: true, name: report.auto.name });
    if (report.auto.kind === 'cpu') expect(report.auto.passedOver).toHaveLength(1);
  });

  it('says the same to people', async () => {
    const { code, stdout } = await captureRun(['doctor']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^cpu: CPU/m);
    expect(stdout).toMatch(/^webgpu: /m);
    expect(stdout).toMatch(/--device auto takes (cpu, because .+|webgpu .+)\n$/);
  });
});
