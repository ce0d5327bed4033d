import { Arena, type Device } from '@xlstm/device';
import type { TensorInfo } from '@xlstm/loaders';
import { AdamW, createSchedule, Tape, Tensor } from '@xlstm/tensor';
import { parseConfig, readWeights, XLSTMLarge } from '@xlstm/xlstm-large';
import type { GoldenTensors } from '../golden-tensors.ts';
import type { DeviceKindOfCase, Job } from '../job.ts';
import { measureFloats, measureScaled } from '../measure.ts';
import { TRAINED_WEIGHTS, TRAINING_CURVE } from '../tolerances.ts';
import { readFloats } from './gradients.ts';
import { publishedName, tensorWeights } from './tensor-weights.ts';

const INITIAL = 'init.';
const FINAL = 'final.';
const CURVES = ['losses', 'grad_norms', 'lrs'] as const;

function isInput(name: string): boolean {
  return name === 'sequences' || name.startsWith(INITIAL);
}

/** As `case.json` says in words: linear warm-up over 10 steps to 1e-3, cosine to 1e-4 at step 30. */
function scheduleOf(steps: number): (step: number) => number {
  return createSchedule('cosine', { peak: 1e-3, final: 1e-4, warmupSteps: 10, steps });
}

async function load(device: Device, job: Job, tensors: GoldenTensors): Promise<XLSTMLarge> {
  const initial = new Map<string, TensorInfo>();
  for (const name of tensors.names) {
    if (name.startsWith(INITIAL)) initial.set(publishedName(name.slice(INITIAL.length)), tensors.info(name));
  }
  return XLSTMLarge.load(device, parseConfig(job.input.fields.config, 'native'), tensorWeights(initial), {
    dtype: 'fp32',
  });
}

/** Trains on the given sequences with one recorded step, replayed. */
async function train(device: Device, arena: Arena, model: XLSTMLarge, tensors: GoldenTensors) {
  const [steps, B, length] = tensors.shape('sequences') as [number, number, number];
  const sequences = await tensors.integers('sequences');
  const S = length - 1;
  const owned = (label: string) => new Tensor(device.alloc('i32', B * S, { owner: 'batch', label }), [B, S]);
  const [tokens, targets] = [owned('tokens'), owned('targets')];
  const parameters = model.parameters();
  const optimizer = new AdamW(device, parameters, {
    lr: 1e-3,
    betas: [0.9, 0.95],
    eps: 1e-8,
    weightDecay: 0.1,
    maxGradNorm: 0.5,
  });
  const loss = new Tensor(device.alloc('fp32', 1, { owner: 'batch', label: 'loss' }), [1]);
  const program = device.record(() => {
    optimizer.zeroGradients();
    const tape = new Tape(arena, { parameters });
    const result = model.loss(tape, tokens, targets);
    result.backward();
    device.copy(result.buffer, loss.buffer);
    tape.dispose();
    optimizer.queueStep();
  }, 'training step');
  const curves = { losses: [] as number[], grad_norms: [] as number[], lrs: [] as number[] };
  const schedule = scheduleOf(steps);
  try {
    for (let step = 0; step < steps; step++) {
      const rows = Array.from({ length: B }, (_, row) => (step * B + row) * length);
      device.upload(tokens.buffer, Int32Array.from(rows.flatMap((at) => sequences.slice(at, at + S))));
      device.upload(targets.buffer, Int32Array.from(rows.flatMap((at) => sequences.slice(at + 1, at + 1 + S))));
      const lr = schedule(step);
      optimizer.advance({ lr });
      program.run();
      curves.lrs.push(lr);
      curves.losses.push((await readFloats(device, loss))[0]!);
      curves.grad_norms.push(await optimizer.gradientNorm());
    }
  } finally {
    program.dispose();
    optimizer.dispose();
    for (const { buffer } of [tokens, targets, loss]) buffer.dispose();
  }
  return curves;
}

async function runTraining(job: Job, device: Device, tensors: GoldenTensors): Promise<void> {
  const finals = tensors.names.filter((name) => name.startsWith(FINAL));
  await job.attempt([...CURVES, ...finals], async () => {
    const arena = new Arena(device);
    const model = await load(device, job, tensors);
    try {
      const curves = await train(device, arena, model, tensors);
      for (const name of CURVES) {
        job.report(name, measureFloats(curves[name], await tensors.floats(name), TRAINING_CURVE));
      }
      const expected = new Map(finals.map((name) => [publishedName(name.slice(FINAL.length)), name]));
      for await (const { name, data } of readWeights(model)) {
        const golden = expected.get(name)!;
        job.report(golden, measureScaled(data, await tensors.floats(golden), TRAINED_WEIGHTS));
      }
    } finally {
      model.dispose();
      arena.dispose();
    }
  });
}

/** 30 steps of AdamW on xLSTM Large: losses, gradient norms and learning rates step by step, and the weights they end in. */
export const training: DeviceKindOfCase = { runsOn: 'device', isInput, run: runTraining };
