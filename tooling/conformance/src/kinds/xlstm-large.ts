import { Arena, type Device } from '@xlstm/device';
import { elementCount, Tape } from '@xlstm/tensor';
import { parameterTable, parseConfig, XLSTMLarge } from '@xlstm/xlstm-large';
import { checkpointWeights, storedDtype } from 'xlstm';
import { hasCheckpoint, openCaseCheckpoint } from '../case-checkpoint.ts';
import { CaseError } from '../golden-case.ts';
import type { GoldenTensors } from '../golden-tensors.ts';
import type { DeviceKindOfCase, Job } from '../job.ts';
import { failure, measureFloats, measureMemory, shapeMismatch } from '../measure.ts';
import { LOGITS, LOSS } from '../tolerances.ts';
import { measureGradient, uploadIds } from './gradients.ts';
import { batchLogits, crossEntropy, reportGreedy } from './model-outputs.ts';
import { caseParameters, difference, tensorWeights } from './tensor-weights.ts';

const STATE = /^state\.(\d+)\.([cnm])$/;
const PREFILLED = /^greedy_prefill(\d+)$/;
/** Not a tensor of the file: whether the checkpoint beside it holds the same weights. */
const CHECKPOINT = 'checkpoint (equals param.*)';

function isInput(name: string): boolean {
  return name === 'tokens' || name === 'targets' || name.startsWith('param.');
}

function isComputed(name: string): boolean {
  return (
    name.startsWith('grad.') ||
    name === 'logits' ||
    name === 'loss' ||
    name === 'greedy' ||
    PREFILLED.test(name) ||
    STATE.test(name)
  );
}

/** The model of a case: from its `checkpoint/` as a user would load it, where there is one; else from `param.*`. */
async function loadModel(job: Job, device: Device, tensors: GoldenTensors): Promise<XLSTMLarge> {
  const { files, fields } = job.input;
  const parameters = caseParameters(tensors);
  if (!hasCheckpoint(files)) {
    const config = parseConfig(fields.config, 'native');
    return XLSTMLarge.load(device, config, tensorWeights(parameters), { dtype: 'fp32' });
  }
  const checkpoint = await openCaseCheckpoint(files);
  try {
    await job.attempt([CHECKPOINT], async () => {
      const different = await difference(checkpoint.tensors, parameters);
      const equal = { pass: true, relativeRms: 0, maxError: 0, share: 0 };
      job.report(CHECKPOINT, different === undefined ? equal : failure(different));
    });
    const config = parseConfig(checkpoint.config, checkpoint.configFormat);
    return await XLSTMLarge.load(device, config, checkpointWeights(checkpoint), { dtype: storedDtype(checkpoint) });
  } finally {
    await checkpoint.close();
  }
}

async function reportStates(
  job: Job,
  tensors: GoldenTensors,
  names: readonly string[],
  model: XLSTMLarge,
  state: ReturnType<XLSTMLarge['createState']>,
): Promise<void> {
  const { DHQK, DHHV } = model.dims;
  const heads = [state.batch, model.config.numHeads];
  const shapes = { c: [...heads, DHQK, DHHV], n: [...heads, DHQK], m: [...heads, 1] };
  for (const block of new Set(names.map((name) => Number(STATE.exec(name)![1])))) {
    const ofBlock = names.filter((name) => Number(STATE.exec(name)![1]) === block);
    await job.attempt(ofBlock, async () => {
      const at = (plane: string) => tensors.floats(`state.${block}.${plane}`);
      const expected = { c: await at('c'), n: await at('n'), m: await at('m') };
      const measured = measureMemory(await state.readBlock(block), expected);
      for (const name of ofBlock) {
        const plane = STATE.exec(name)![2] as keyof typeof shapes;
        job.report(name, shapeMismatch(shapes[plane], tensors.shape(name)) ?? measured[plane]);
      }
    });
  }
}

async function reportForward(job: Job, tensors: GoldenTensors, model: XLSTMLarge, rows: number[][]): Promise<void> {
  const states = tensors.names.filter((name) => STATE.test(name));
  const state = model.createState(rows.length);
  try {
    const logits = await batchLogits(model, rows, state);
    const length = rows[0]!.length;
    const { vocabSize } = model.config;
    if (tensors.has('logits')) {
      const mismatch = shapeMismatch([rows.length, length, vocabSize], tensors.shape('logits'));
      job.report('logits', mismatch ?? measureFloats(logits, await tensors.floats('logits'), LOGITS));
    }
    await job.attempt(['loss'], async () => {
      if (!tensors.has('loss')) return;
      const targets = await tensors.integerRows('targets');
      if (targets.length !== rows.length || (targets[0]?.length ?? 0) > length) {
        throw new CaseError(`tensors.safetensors: targets must go with tokens [${rows.length}, ${length}]`);
      }
      const loss = crossEntropy(logits, length, vocabSize, targets);
      job.report('loss', measureFloats([loss], await tensors.floats('loss'), LOSS));
    });
    await reportStates(job, tensors, states, model, state);
  } finally {
    state.dispose();
  }
}

/** Gradients of the mean loss over the training tokens, by published name: the model stacks projections of one input. */
async function reportLargeGradients(
  job: Job,
  device: Device,
  tensors: GoldenTensors,
  model: XLSTMLarge,
): Promise<void> {
  const targetRows = await tensors.integerRows('targets');
  const length = targetRows[0]!.length;
  const rows = (await tensors.integerRows('tokens')).map((row) => row.slice(0, length));
  const arena = new Arena(device);
  const parameters = model.parameters();
  const tape = new Tape(arena, { parameters });
  try {
    model.loss(tape, uploadIds(device, rows), uploadIds(device, targetRows)).backward();
    const gradients = new Map(parameters.map(({ name, gradient }) => [name, gradient]));
    for (const { name, shape, parameter, row } of parameterTable(model.config, model.dims).tensors) {
      const golden = `grad.${name === 'backbone.embeddings.weight' ? 'embedding.weight' : name}`;
      const { buffer } = gradients.get(parameter)!;
      const actual = await device.read(buffer, row * (shape[1] ?? 1), elementCount(shape));
      job.report(golden, measureGradient(name, actual, await tensors.floats(golden)));
    }
  } finally {
    tape.dispose();
    arena.dispose();
  }
}

async function runLarge(job: Job, device: Device, tensors: GoldenTensors): Promise<void> {
  const computed = tensors.names.filter(isComputed);
  await job.attempt(computed, async () => {
    const rows = await tensors.integerRows('tokens');
    const model = await loadModel(job, device, tensors);
    try {
      const forward = computed.filter((name) => !name.startsWith('greedy') && !name.startsWith('grad.'));
      await job.attempt(forward, () => reportForward(job, tensors, model, rows));
      const gradients = computed.filter((name) => name.startsWith('grad.'));
      if (gradients.length > 0) {
        await job.attempt(gradients, () => reportLargeGradients(job, device, tensors, model));
      }
      for (const name of computed.filter((computedName) => computedName.startsWith('greedy'))) {
        const prefix = PREFILLED.exec(name)?.[1];
        const prompts = prefix === undefined ? rows : rows.map((row) => row.slice(0, Number(prefix)));
        await reportGreedy(job, model, tensors, name, prompts);
      }
    } finally {
      model.dispose();
    }
  });
}

/** xLSTM Large: logits, states after all tokens, loss, and greedy continuations of all tokens and of prefixes. */
export const xlstmLarge: DeviceKindOfCase = { runsOn: 'device', isInput, run: runLarge };
