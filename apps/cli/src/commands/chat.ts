import type { Command } from 'commander';
import { type ChatFlags, runChat } from '../chat/chat.ts';
import { addModelOptions, addNumber, addSamplingOptions, addStateOptions } from '../generation/flags.ts';
import { RANGES } from '../generation/number-argument.ts';
import type { Context } from '../terminal.ts';

/** `xlstm chat`: a conversation in the terminal. */
export function addChatCommand(program: Command, context: Context): void {
  const command = program
    .command('chat')
    .description('Talk with a model. A turn costs the same however long the conversation is.')
    .showHelpAfterError('(xlstm chat --help lists the options)')
    .option('--system <text>', 'instructions that begin the conversation')
    .option(
      '--chat-template <file>',
      'a Jinja template in place of the model’s own; "plain" is a transcript of User and Assistant, for base models',
    );
  addModelOptions(command);
  addSamplingOptions(command, { maxNewTokens: 256, temperature: 0.8, topP: 0.95 });
  addStateOptions(command);
  addNumber(command, '--undo-turns <n>', 'keep copies of the state to undo so many turns', RANGES.count, 8);
  command
    .option('--stats', 'print how each answer went on stderr')
    .option('--quiet', 'print nothing but answers and what commands say')
    .option('--debug', 'print where an error came from')
    .addHelpText(
      'after',
      `
Answers are on stdout, all else is on stderr. A model without a chat template goes on with the text: what you type is
appended to it as it is, and an empty line lets it go on by itself.

In the chat, /help lists the commands: /save /load /undo /retry /reset /stats /exit. Ctrl-C stops an answer; twice at the
prompt, or Ctrl-D, ends.

Examples:
  $ xlstm chat --model models/my-chat-model --system "Answer in one sentence."
  $ xlstm chat --chat-template plain             a base model as if it could chat
  $ xlstm chat --state-in fox.state --state-out fox.state
  $ printf 'The fox said\\n/save fox.state\\n' | xlstm chat --temperature 0`,
    )
    .action((flags: ChatFlags) => runChat(context, flags));
}
