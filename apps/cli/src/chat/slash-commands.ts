import { readStateHeader } from '@xlstm/xlstm-large';
import { UsageError } from '../failures.ts';
import { formatBytes, formatCount, formatMs, formatRate, formatTable } from '../human-readable.ts';
import { modelLabel } from '../installed.ts';
import { readStateFile, restoreState, writeStateFile } from '../state-files.ts';
import type { Answer, ChatSession } from './session.ts';

/** What a slash command works with. */
export interface ChatControls {
  session: ChatSession;
  /** As `--model` named it. */
  model: string;
  say(line: string): void;
  /** Answers the last turn again, on the screen. */
  retry(): Promise<void>;
}

interface SlashCommand {
  name: string;
  argument?: string;
  says: string;
  run(controls: ChatControls, argument: string): Promise<void> | void;
}

const COMMANDS: readonly SlashCommand[] = [
  { name: '/help', says: 'list the commands', run: ({ say }) => say(helpText()) },
  {
    name: '/save',
    argument: 'FILE',
    says: 'save the conversation’s state',
    run: async ({ session, say }, path) => {
      const bytes = await session.export();
      await writeStateFile(path, bytes);
      say(`saved ${formatBytes(bytes.length)} after ${tokens(readStateHeader(bytes).header.position)} to ${path}`);
    },
  },
  {
    name: '/load',
    argument: 'FILE',
    says: 'go on from a saved state; what was said here is forgotten',
    run: async ({ session, say }, path) => {
      session.load(restoreState(session.model, await readStateFile(path)));
      say(`going on after ${tokens(session.position)}`);
    },
  },
  {
    name: '/undo',
    says: 'go back to before the last turn',
    run: ({ session, say }) => {
      const text = session.undo();
      say(`back to before ${JSON.stringify(shortened(text))}, after ${tokens(session.position)}`);
    },
  },
  { name: '/retry', says: 'answer the last turn again, with other random numbers', run: ({ retry }) => retry() },
  {
    name: '/reset',
    says: 'forget everything and begin anew',
    run: ({ session, say }) => {
      session.reset();
      say('everything is forgotten');
    },
  },
  {
    name: '/stats',
    says: 'tokens, speed and memory',
    run: ({ session, model, say }) => say(statsText(session, model)),
  },
  { name: '/exit', says: 'end (so does Ctrl-D)', run: () => {} },
];

/**
 * Runs a line that begins with `/`. Returns false where it ends the chat.
 *
 * @throws UsageError for a command that is unknown or not complete; what the command throws.
 */
export async function runSlashCommand(line: string, controls: ChatControls): Promise<boolean> {
  const [, name = '', argument = ''] = /^(\S+)\s*(.*?)\s*$/s.exec(line) ?? [];
  const command = COMMANDS.find((known) => known.name === name);
  if (!command) {
    throw new UsageError(
      `there is no command ${name}; /help lists them, and // begins a text that itself begins with /`,
    );
  }
  if (command.argument && argument === '') throw new UsageError(`${name} needs a name: ${name} ${command.argument}`);
  if (!command.argument && argument !== '') throw new UsageError(`${name} takes nothing after it, got ${argument}`);
  await command.run(controls, argument);
  return name !== '/exit';
}

function helpText(): string {
  const rows = COMMANDS.map(({ name, argument, says }) => [argument ? `${name} ${argument}` : name, says]);
  return `${formatTable(rows)}\nA line that begins with // is said with one /. Ctrl-C stops an answer.`;
}

function shortened(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}

function tokens(count: number): string {
  return count === 1 ? '1 token' : `${formatCount(count)} tokens`;
}

/** How an answer went, on one line. */
export function answerLine(answer: Answer): string {
  const { readTokens, newTokens, firstTokenMs, totalMs } = answer;
  const decodeMs = totalMs - firstTokenMs;
  const rate = newTokens > 1 && decodeMs > 0 ? `, ${formatRate(((newTokens - 1) * 1000) / decodeMs)} tokens/s` : '';
  return `${tokens(readTokens)} read, first token after ${formatMs(firstTokenMs)}; ${newTokens} new${rate}`;
}

function statsText(session: ChatSession, model: string): string {
  const { format, stateBytes, undoable, lastAnswer } = session;
  return formatTable([
    [
      'model',
      `${modelLabel(model)}, ${session.model.dtype}, ${format.kind === 'template' ? 'chat template' : 'plain continuation'}`,
    ],
    ['device', session.model.deviceReason],
    ['state', `${tokens(session.position)} in ${formatBytes(stateBytes)}, whatever their number`],
    ['turns', `${session.turns}, of which ${undoable} can be undone (${formatBytes(undoable * stateBytes)})`],
    ['last answer', lastAnswer ? answerLine(lastAnswer) : 'none yet'],
    [
      'memory',
      // libuv gives kilobytes on every platform.
      `weights ${formatBytes(session.model.model.weights.byteLength)}, process peak ${formatBytes(process.resourceUsage().maxRSS * 1024)}`,
    ],
    ['seed', `${session.seed}`],
  ]);
}
