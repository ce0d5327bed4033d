import type { NumberArray } from '@xlstm/device';
import type { CheckedSamplingOptions } from './options.ts';

/** 32-bit words of a row's settings. */
export const SETTINGS_WORDS = 8;

/** What one row is drawn with, as the kernel takes it. */
export interface RowSettings {
  temperature: number;
  topK: number;
  topP: number;
  minP: number;
  repetitionPenalty: number;
  seedLow: number;
  seedHigh: number;
  /** Which of the seed's sequences of random words: rows of one seed draw alike where this is the same. */
  stream: number;
}

/** Sampling options as the kernel takes them. `vocabSize` bounds `topK`: a larger one keeps everything, as does 0. */
export function settingsOf(
  options: CheckedSamplingOptions & { seed: bigint },
  vocabSize: number,
): Omit<RowSettings, 'stream'> {
  const { temperature, topK, topP, minP, repetitionPenalty, seed } = options;
  return {
    temperature,
    topK: Math.min(topK, vocabSize),
    topP,
    minP,
    repetitionPenalty,
    seedLow: Number(seed & 0xffffffffn),
    seedHigh: Number(seed >> 32n),
  };
}

/** The settings with numbers as float32, as every device sees them. */
export function roundedSettings(settings: RowSettings): RowSettings {
  const { temperature, topP, minP, repetitionPenalty } = settings;
  return {
    ...settings,
    temperature: Math.fround(temperature),
    topP: Math.fround(topP),
    minP: Math.fround(minP),
    repetitionPenalty: Math.fround(repetitionPenalty),
  };
}

const words = new Uint32Array(SETTINGS_WORDS);
const floats = new Float32Array(words.buffer);

/** A row's words: temperature, topK, topP, minP, repetitionPenalty, seedLow, seedHigh, stream; fractions as float32 bits. */
export function writeSettings(settings: RowSettings): Uint32Array {
  floats[0] = settings.temperature;
  words[1] = settings.topK;
  floats[2] = settings.topP;
  floats[3] = settings.minP;
  floats[4] = settings.repetitionPenalty;
  words[5] = settings.seedLow;
  words[6] = settings.seedHigh;
  words[7] = settings.stream;
  return words.slice();
}

/** Row `row` of `settings [B, 8]`. */
export function readSettings(settings: NumberArray, row: number): RowSettings {
  for (let word = 0; word < SETTINGS_WORDS; word++) words[word] = settings[row * SETTINGS_WORDS + word]!;
  return {
    temperature: floats[0]!,
    topK: words[1]!,
    topP: floats[2]!,
    minP: floats[3]!,
    repetitionPenalty: floats[4]!,
    seedLow: words[5]!,
    seedHigh: words[6]!,
    stream: words[7]!,
  };
}
