/** The first loop up to one of `names`, from 0 in steps of 1. */
function loopUpTo(names: readonly string[]): RegExp {
  return new RegExp(`for \\(var (\\w+) = 0u; \\1 < (${names.join('|')}); \\1\\+\\+\\) \\{`);
}

/** Where the block ends whose opening brace is just before `start`: after its closing brace. */
function endOfBlock(code: string, start: number): number {
  let depth = 1;
  let at = start;
  while (depth > 0) {
    const character = code[at++];
    if (character === '{') depth++;
    else if (character === '}') depth--;
  }
  return at;
}

/**
 * Writes out the loops of a WGSL text whose ends are named in `counts`: a block for each round, with the loop's variable as a
 * number. Compilers keep arrays of matrices in registers only where every index is one.
 *
 * @example
 * ```ts
 * expandLoops('for (var i = 0u; i < PARTS; i++) { f(i); }', { PARTS: 2 }) // '{ f(0u); }\n{ f(1u); }\n'
 * ```
 */
export function expandLoops(code: string, counts: Readonly<Record<string, number>>): string {
  const pattern = loopUpTo(Object.keys(counts));
  let text = code;
  for (let loop = pattern.exec(text); loop; loop = pattern.exec(text)) {
    const [head, variable = '', name = ''] = loop;
    const start = loop.index + head.length;
    const end = endOfBlock(text, start);
    const body = text.slice(start, end - 1);
    const rounds = Array.from({ length: counts[name] ?? 0 }, (_, round) => {
      return `{${body.replace(new RegExp(`\\b${variable}\\b`, 'g'), `${round}u`)}}\n`;
    });
    text = text.slice(0, loop.index) + rounds.join('') + text.slice(end);
  }
  return text;
}
