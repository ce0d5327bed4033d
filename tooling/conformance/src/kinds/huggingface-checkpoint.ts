import type { Device } from '@xlstm/device';
import { parseConfig, XLSTMLarge } from '@xlstm/xlstm-large';
import { checkpointWeights, storedDtype } from 'xlstm';
import { openCaseCheckpoint } from '../case-checkpoint.ts';
import type { CaseFiles } from '../golden-case.ts';
import type { GoldenTensors } from '../golden-tensors.ts';
import type { DeviceKindOfCase, Job } from '../job.ts';
import { measureFloats, shapeMismatch } from '../measure.ts';
import { LOGITS } from '../tolerances.ts';
import { batchLogits, reportGreedy } from './model-outputs.ts';

/** `greedy` continues this much of the first row of tokens. */
const GREEDY_PREFIX = 40;

async function loadModel(files: CaseFiles, device: Device): Promise<XLSTMLarge> {
  const checkpoint = await openCaseCheckpoint(files);
  try {
    const config = parseConfig(checkpoint.config, checkpoint.configFormat);
    return await XLSTMLarge.load(device, config, checkpointWeights(checkpoint), { dtype: storedDtype(checkpoint) });
  } finally {
    await checkpoint.close();
  }
}

async function runCheckpoint(job: Job, device: Device, tensors: GoldenTensors): Promise<void> {
  const computed = ['logits', 'greedy'].filter((name) => tensors.has(name));
  await job.attempt(computed, async () => {
    const rows = await tensors.integerRows('tokens');
    const model = await loadModel(job.input.files, device);
    try {
      await job.attempt(
        computed.filter((name) => name === 'logits'),
        async () => {
          if (!tensors.has('logits')) return;
          const state = model.createState(rows.length);
          try {
            const logits = await batchLogits(model, rows, state);
            const shape = [rows.length, rows[0]!.length, model.config.vocabSize];
            const mismatch = shapeMismatch(shape, tensors.shape('logits'));
            job.report('logits', mismatch ?? measureFloats(logits, await tensors.floats('logits'), LOGITS));
          } finally {
            state.dispose();
          }
        },
      );
      if (tensors.has('greedy')) {
        await reportGreedy(job, model, tensors, 'greedy', [rows[0]!.slice(0, GREEDY_PREFIX)]);
      }
    } finally {
      model.dispose();
    }
  });
}

/** A checkpoint in the Hugging Face layout, loaded with the dtype that it is stored in. */
export const huggingFaceCheckpoint: DeviceKindOfCase = {
  runsOn: 'device',
  isInput: (name) => name === 'tokens',
  run: runCheckpoint,
};
