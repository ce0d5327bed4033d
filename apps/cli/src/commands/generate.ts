import type { Command } from 'commander';
import { UsageError } from '../failures.ts';
import { runBatch } from '../generation/batch.ts';
import { addGenerationOptions, addNumber, addStateOptions, type GenerationFlags } from '../generation/flags.ts';
import { runGeneration } from '../generation/generation.ts';
import { RANGES } from '../generation/number-argument.ts';
import { requiredPrompt } from '../generation/prompt.ts';
import type { Context } from '../terminal.ts';

/** `xlstm generate`: the continuation of a prompt, and nothing else, on stdout. */
export function addGenerateCommand(program: Command, context: Context): void {
  const command = program
    .command('generate')
    .description('Continue a prompt. Streams the text to stdout; all else goes to stderr.')
    .showHelpAfterError('(xlstm generate --help lists the options)');
  addGenerationOptions(command, { maxNewTokens: 256, temperature: 1, topP: 1 });
  addStateOptions(command);
  addNumber(command, '--logprobs <n>', 'with --json: how likely each token was, and the n likeliest', RANGES.logprobs);
  command.option(
    '--prompts-file <file>',
    'continue many prompts together, one a line, or a JSON object a line where it ends in .jsonl; - is stdin',
  );
  addNumber(command, '--batch-size <n>', 'with --prompts-file: prompts at a time (default: 8)', RANGES.atLeastOne);
  command
    .addHelpText(
      'after',
      `
Examples:
  $ xlstm generate --prompt "Once upon a time" --temperature 0
  $ xlstm generate --model models/xlstm-7b --prompt-file question.txt --stop "\\n\\n" --stats
  $ echo "The fox said" | xlstm generate --seed 7 --top-p 0.9
  $ xlstm generate --prompt "The fox said" --json --logprobs 5 > answer.json
  $ xlstm generate --prompt-file book.txt --max-new-tokens 0 --state-out book.state
  $ xlstm generate --state-in book.state --prompt "The moral is"
  $ xlstm generate --prompts-file questions.txt --batch-size 32 --json > answers.jsonl
  $ xlstm generate --prompts-file questions.jsonl --json > answers.jsonl

With --prompts-file, texts come in the order of the prompts, each after a line that says which one it continues; with
--json there is one object a line, with its index. --seed is the first prompt’s; the others count on from it. A line of a
.jsonl file may have options of its own: {"prompt": "The fox said", "maxNewTokens": 9, "temperature": 0, "stop": ["\\n"]},
and topK, topP, minP, repetitionPenalty, seed. --prompt, --prompt-file, --state-in and --state-out are for one prompt.

Ctrl-C ends the text where it is and releases everything; a second one ends the process at once.`,
    )
    .action(async (flags: GenerationFlags) => {
      if (flags.logprobs !== undefined && !flags.json) throw new UsageError('--logprobs is part of --json; add --json');
      if (flags.promptsFile !== undefined) {
        await runBatch(context, flags);
        return;
      }
      if (flags.batchSize !== undefined) throw new UsageError('--batch-size goes with --prompts-file; add one');
      const prompt = await requiredPrompt(flags, context);
      await runGeneration(context, flags, prompt, { echoPrompt: false, alwaysSayDevice: false });
    });
}
