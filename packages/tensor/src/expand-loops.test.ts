import { expect, it } from 'vitest';
import { expandLoops } from './expand-loops.ts';

it('writes out nested loops and leaves others alone', () => {
  const code =
    'for (var i = 0u; i < A; i++) { for (var j = 0u; j < B; j++) { s[i][j] = ij; } }\nfor (var k = 0u; k < C; k++) { f(k); }';
  const lines = expandLoops(code, { A: 2, B: 2 }).replaceAll(/\s+/g, '');
  expect(lines).toBe('{{s[0u][0u]=ij;}{s[0u][1u]=ij;}}{{s[1u][0u]=ij;}{s[1u][1u]=ij;}}for(vark=0u;k<C;k++){f(k);}');
});
