import type { Command } from 'commander';
import { addGenerationOptions, type GenerationFlags } from '../generation/flags.ts';
import { type GenerationManner, runGeneration } from '../generation/generation.ts';
import { givenPrompt } from '../generation/prompt.ts';
import { closingLine } from '../generation/statistics.ts';
import type { Context } from '../terminal.ts';

const PROMPT = 'Once upon a time';
/** A story ends with the first sentence that is over after this many tokens … */
const ENOUGH = 200;
/** … or here, in the middle of a long one. */
const AT_MOST = 280;

const SENTENCE_END = /[.!?]['"’”)]*\s*$/;

/** Whether a story of enough tokens may end before `next`: a sentence is over, and `next` is not its closing quote. */
export function endsStory(soFar: { text: string; tokens: number }, next: string): boolean {
  return soFar.tokens >= ENOUGH && SENTENCE_END.test(soFar.text) && (/^\s/.test(next) || /\s$/.test(soFar.text));
}

/** `xlstm start`: the first thing to try. */
export function addStartCommand(program: Command, context: Context): void {
  const command = program
    .command('start')
    .description('Tell a story with the built-in model on the best device there is.')
    .argument('[prompt...]', `how the story begins (default: "${PROMPT}")`)
    .showHelpAfterError('(xlstm start --help lists the options)');
  addGenerationOptions(command, { maxNewTokens: AT_MOST, temperature: 0.8, topP: 0.95 })
    .addHelpText(
      'after',
      `
Without --max-new-tokens the story ends with the first sentence that is over after ${ENOUGH} tokens.

Examples:
  $ xlstm start
  $ xlstm start "The fox said"
  $ xlstm start --seed 7 --device cpu
  $ npm start -- "The fox said"                  the same, in a clone of the repository`,
    )
    .action(async (words: string[], flags: GenerationFlags) => {
      const prompt = (await givenPrompt(flags, words, context)) ?? PROMPT;
      const manner: GenerationManner = { echoPrompt: true, alwaysSayDevice: true };
      if (command.getOptionValueSource('maxNewTokens') === 'default') manner.endsBefore = endsStory;
      const report = await runGeneration(context, flags, prompt, manner);
      if (!flags.json && !flags.quiet) context.say(`\n${closingLine(report)}`);
    });
}
