import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StopStrings } from './stop-strings.ts';

function run(pieces: readonly string[], stops: readonly string[]): { text: string; stopped: boolean } {
  const cutter = new StopStrings(stops);
  let text = '';
  for (const piece of pieces) text += cutter.push(piece);
  return { text: text + cutter.flush(), stopped: cutter.stopped };
}

describe('StopStrings', () => {
  it('holds back what may begin a stop string, and no more', () => {
    const cutter = new StopStrings(['\n\nUser:']);
    expect(cutter.push('Hello\n')).toBe('Hello');
    expect(cutter.push('world\n\nUs')).toBe('\nworld');
    expect(cutter.push('ual')).toBe('\n\nUsual');
    expect(cutter.push('\n\nUser: x')).toBe('');
    expect(cutter.stopped).toBe(true);
    expect(cutter.push('more') + cutter.flush()).toBe('');
  });

  it('passes everything through without stop strings', () => {
    expect(run(['a', 'bc'], [])).toEqual({ text: 'abc', stopped: false });
  });

  it('gives back what it held when the text ends', () => {
    expect(run(['ab', 'c<|'], ['<|end|>'])).toEqual({ text: 'abc<|', stopped: false });
  });

  it('does not depend on how the text is cut into pieces', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 24 });
    const stop = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(
        letters,
        fc.array(stop, { maxLength: 3 }),
        fc.array(fc.nat(24), { maxLength: 6 }),
        (text, stops, cuts) => {
          const points = [0, ...cuts.filter((cut) => cut < text.length).sort((a, b) => a - b), text.length];
          const pieces = points.slice(1).map((end, index) => text.slice(points[index], end));
          const whole = run([text], stops);
          expect(run(pieces, stops)).toEqual(whole);
          expect(run([...text], stops)).toEqual(whole);
          expect(whole.stopped).toBe(stops.some((one) => text.includes(one)));
          expect(text.startsWith(whole.text)).toBe(true);
          for (const one of stops) expect(whole.text.includes(one)).toBe(false);
        },
      ),
      { numRuns: 500 },
    );
  });
});
