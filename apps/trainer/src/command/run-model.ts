import { join } from 'node:path';
import type { Device } from '@xlstm/device';
import type { TrainerConfig } from '../config/trainer-config.ts';
import { exportCore, exportHuggingFace } from '../export/huggingface.ts';
import type { StepMetrics } from '../metrics/metrics-log.ts';
import { CoreTrainable } from '../training/core-model.ts';
import { LargeTrainable } from '../training/large-model.ts';
import type { TrainableModel } from '../training/trainable-model.ts';
import type { RunTokenizer } from './prepare-tokenizer.ts';
import type { RunSource } from './run-source.ts';

/** A new model. @throws ConfigError for fields that make none. */
export async function createModel(device: Device, config: TrainerConfig, run: RunSource): Promise<TrainableModel> {
  const { vocabSize, tokenizer } = run;
  const { seed } = config;
  if (config.model.kind === 'xlstm-core') {
    return new CoreTrainable(device, config.model.fields, { vocabSize, seed, dropout: config.train.dropout });
  }
  const special = tokenizer ? { bos_token_id: tokenizer.beginId, eos_token_id: tokenizer.beginId } : {};
  return LargeTrainable.create(
    device,
    { ...special, ...config.model.fields },
    { vocabSize, seed, resetToken: config.data?.resetStatesAtDocuments ? tokenizer?.beginId : undefined },
  );
}

/** Writes the model as it is to a folder of the run that others load. */
export async function exportModel(
  config: TrainerConfig,
  model: TrainableModel,
  tokenizer: RunTokenizer | undefined,
  name: string,
): Promise<string> {
  const folder = join(config.outDir, name);
  if (model instanceof LargeTrainable) {
    await exportHuggingFace(folder, {
      config: model.model.config,
      dims: model.model.dims,
      weights: model.readWeights(),
      dtype: config.exportDtype,
      tokenizerJson: tokenizer?.json,
      beginToken: tokenizer?.beginToken ?? '<|endoftext|>',
    });
  } else {
    await exportCore(folder, {
      config: model.description,
      weights: model.readWeights(),
      tokenizerJson: tokenizer?.json,
    });
  }
  return folder;
}

/** Text after each prompt of `eval.samples`; none for a task. */
export async function writeSamples(
  config: TrainerConfig,
  model: TrainableModel,
  run: RunSource,
  step: number,
): Promise<StepMetrics['samples']> {
  const { tokenizer } = run;
  if (!tokenizer) return undefined;
  const samples = [];
  for (const prompt of config.eval.samples) {
    const promptIds = [tokenizer.beginId, ...tokenizer.tokenizer.encode(prompt, { addBos: false })];
    const ids = await model.continueText(promptIds, {
      tokens: config.eval.sampleTokens,
      temperature: config.eval.temperature,
      seed: config.seed + step,
      stopIds: [tokenizer.beginId],
    });
    samples.push({ prompt, text: tokenizer.tokenizer.decode(ids, { skipSpecialTokens: true }) });
  }
  return samples.length > 0 ? samples : undefined;
}
