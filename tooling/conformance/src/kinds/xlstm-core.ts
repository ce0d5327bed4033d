import { Arena, type Device } from '@xlstm/device';
import { loadTensor } from '@xlstm/loaders';
import { Scope, Tape, Tensor } from '@xlstm/tensor';
import { type ConfigInput, XLSTMBlockStack, XLSTMLMModel, type XlstmCoreState } from '@xlstm/xlstm-core';
import type { GoldenTensors } from '../golden-tensors.ts';
import type { DeviceKindOfCase, Job } from '../job.ts';
import { failure, measureFloats, measureScaled } from '../measure.ts';
import { GRADIENT, LOGITS, LOSS } from '../tolerances.ts';
import { readFloats, reportGradients, uploadFloats, uploadIds } from './gradients.ts';

const PARAMETER = 'param.';
/** Not a tensor of the file: the lists of names in `case.json`. */
const DECAY_GROUPS = 'weight-decay groups';

async function parameters(tensors: GoldenTensors) {
  const named = tensors.names.filter((name) => name.startsWith(PARAMETER));
  return Promise.all(
    named.map(async (name) => ({
      name: name.slice(PARAMETER.length),
      shape: tensors.shape(name),
      data: await loadTensor(tensors.info(name), 'fp32'),
    })),
  );
}

/** Step by step through `x [B, S, …]`, whose steps `take` cuts out: what comes out, as the whole sequence would. */
async function byStep(
  device: Device,
  arena: Arena,
  state: XlstmCoreState,
  S: number,
  step: (scope: Scope, at: number) => Tensor,
): Promise<Float32Array> {
  const outputs: Float32Array[] = [];
  for (let at = 0; at < S; at++) {
    const scope = new Scope(arena);
    outputs.push(await readFloats(device, step(scope, at)));
    scope.dispose();
  }
  const width = outputs[0]!.length / state.batch;
  const whole = new Float32Array(outputs.length * outputs[0]!.length);
  for (const [at, output] of outputs.entries()) {
    for (let b = 0; b < state.batch; b++) {
      whole.set(output.subarray(b * width, (b + 1) * width), (b * S + at) * width);
    }
  }
  return whole;
}

async function runStack(job: Job, device: Device, tensors: GoldenTensors): Promise<void> {
  const expected = tensors.names.filter((name) => !isStackInput(name));
  await job.attempt(expected, async () => {
    const arena = new Arena(device);
    const stack = new XLSTMBlockStack(device, job.input.fields.config as ConfigInput);
    const tape = new Tape(arena, { parameters: stack.parameters() });
    const state = stack.createState(tensors.shape('x')[0]!);
    try {
      stack.writeWeights(await parameters(tensors));
      const x = tape.watch(await uploadFloats(device, tensors, 'x'));
      const y = stack.forward(tape, x);
      const wanted = await tensors.floats('y');
      job.report('y', measureFloats(await readFloats(device, y), wanted, LOGITS));
      y.backward(await uploadFloats(device, tensors, 'dy'));
      const dx = await readFloats(device, tape.gradient(x));
      job.report('dx', measureScaled(dx, await tensors.floats('dx'), GRADIENT));
      await reportGradients(job, device, tensors, stack.parameters());

      const [B, S, D] = tensors.shape('x') as [number, number, number];
      const stepped = await byStep(device, arena, state, S, (scope, at) => {
        const input = scope.tensor([B, 1, D]);
        for (let b = 0; b < B; b++) device.copy(x.buffer, input.buffer, (b * S + at) * D, b * D, D);
        return stack.step(scope, input, state);
      });
      job.report('y (by steps)', measureFloats(stepped, wanted, LOGITS));
    } finally {
      tape.dispose();
      state.dispose();
      stack.dispose();
      arena.dispose();
    }
  });
}

function isStackInput(name: string): boolean {
  return name === 'x' || name === 'dy' || name.startsWith(PARAMETER);
}

function isModelInput(name: string): boolean {
  return name === 'tokens' || name === 'targets' || name.startsWith(PARAMETER);
}

function reportDecayGroups(job: Job, model: XLSTMLMModel): void {
  const { weight_decay_parameters: decay, no_weight_decay_parameters: plain } = job.input.fields as {
    weight_decay_parameters?: string[];
    no_weight_decay_parameters?: string[];
  };
  const names = (decays: boolean) =>
    model
      .parameters()
      .filter((parameter) => parameter.decay === decays)
      .map(({ name }) => name)
      .sort();
  const equal = `${names(true)}|${names(false)}` === `${[...(decay ?? [])].sort()}|${[...(plain ?? [])].sort()}`;
  job.report(
    DECAY_GROUPS,
    equal
      ? { pass: true, relativeRms: 0, maxError: 0, share: 0 }
      : failure(`decaying: ${names(true).join(', ')}; expected ${decay?.join(', ')}`),
  );
}

async function runModel(job: Job, device: Device, tensors: GoldenTensors): Promise<void> {
  const expected = tensors.names.filter((name) => !isModelInput(name));
  await job.attempt([...expected, DECAY_GROUPS], async () => {
    const arena = new Arena(device);
    const model = new XLSTMLMModel(device, job.input.fields.config as ConfigInput);
    const tape = new Tape(arena, { parameters: model.parameters() });
    const tokenRows = await tensors.integerRows('tokens');
    const state = model.createState(tokenRows.length);
    try {
      reportDecayGroups(job, model);
      model.writeWeights(await parameters(tensors));
      const tokens = uploadIds(device, tokenRows);
      const scope = new Scope(arena);
      const logits = await readFloats(device, model.forward(scope, tokens));
      scope.dispose();
      const wanted = await tensors.floats('logits');
      job.report('logits', measureFloats(logits, wanted, LOGITS));
      const targets = uploadIds(device, await tensors.integerRows('targets'));
      const ignoreIndex = (job.input.fields as { ignore_index?: number }).ignore_index ?? -1;
      const loss = model.loss(tape, tokens, targets, { ignoreIndex });
      job.report('loss', measureFloats(await readFloats(device, loss), await tensors.floats('loss'), LOSS));
      loss.backward();
      await reportGradients(job, device, tensors, model.parameters());
      const stepped = await byStep(device, arena, state, tokenRows[0]!.length, (step, at) => {
        const ids = device.from(
          'i32',
          Int32Array.from(tokenRows, (row) => row[at]!),
        );
        return model.step(step, new Tensor(ids, [tokenRows.length, 1]), state);
      });
      job.report('logits (by steps)', measureFloats(stepped, wanted, LOGITS));
    } finally {
      tape.dispose();
      state.dispose();
      model.dispose();
      arena.dispose();
    }
  });
}

/** `XLSTMBlockStack`: outputs at once and step by step, gradients of the input and of every parameter. */
export const xlstmBlockStack: DeviceKindOfCase = { runsOn: 'device', isInput: isStackInput, run: runStack };

/** `XLSTMLMModel`: logits at once and step by step, loss, gradients, weight-decay groups. */
export const xlstmLmModel: DeviceKindOfCase = { runsOn: 'device', isInput: isModelInput, run: runModel };
