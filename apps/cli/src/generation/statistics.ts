import type { XlstmModel } from 'xlstm';
import { formatBytes, formatMs, formatRate, formatTable } from '../human-readable.ts';
import { modelLabel } from '../installed.ts';
import type { GenerationReport } from './report.ts';

/** Bytes that a generation holds: on the device, and of this process at its peak. */
export interface MemoryUse {
  weights: number;
  state: number;
  processPeak: number;
}

/** What a loaded model takes for one sequence. */
export function memoryUse(model: XlstmModel): MemoryUse {
  const state = model.createState();
  try {
    return {
      weights: model.model.weights.byteLength,
      state: state.byteLength,
      // libuv gives kilobytes on every platform.
      processPeak: process.resourceUsage().maxRSS * 1024,
    };
  } finally {
    state.dispose();
  }
}

/** The table that `--stats` prints. */
export function statisticsTable(report: GenerationReport, memory: MemoryUse): string {
  const { timings: t } = report;
  return formatTable([
    ['model', `${modelLabel(report.model)}, ${report.dtype}`],
    ['device', report.device.reason],
    ['load', formatMs(t.loadMs)],
    [
      'prefill',
      `${t.promptTokens} tokens in ${formatMs(t.prefillMs)}, ${formatRate(t.prefillTokensPerSecond)} tokens/s`,
    ],
    [
      'decode',
      `${t.newTokens} tokens in ${formatMs(t.decodeMs)}, ${formatRate(t.decodeTokensPerSecond)} tokens/s, ${t.dispatchesPerToken} dispatches a token`,
    ],
    ['first token', `after ${formatMs(t.firstTokenMs)}`],
    [
      'memory',
      `weights ${formatBytes(memory.weights)}, state ${formatBytes(memory.state)}, process peak ${formatBytes(memory.processPeak)}`,
    ],
    ['finish', `${report.finishReason}; seed ${report.seed}`],
  ]);
}

/** The line that closes a story. */
export function closingLine(report: GenerationReport): string {
  const { timings: t } = report;
  return `${t.newTokens} tokens at ${formatRate(t.decodeTokensPerSecond)} tokens/s on ${report.device.kind}, the first after ${formatMs(t.firstTokenMs)}; --seed ${report.seed} tells it again`;
}
