import { CheckpointError } from '@xlstm/device';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseStrictJson, type StrictJson } from './strict-json.ts';

const parse = (text: string): StrictJson => parseStrictJson(text, 'test');

function plain(value: StrictJson): unknown {
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, inner]) => [key, plain(inner)]));
  return Array.isArray(value) ? value.map(plain) : value;
}

describe('parseStrictJson', () => {
  it('agrees with JSON.parse on every value that JSON can write', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6, noUnicodeString: false }), fc.constantFrom(0, 2), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        // Lone surrogates are refused on purpose; the last line of the table below holds that.
        fc.pre(!/\\ud[89a-f]/.test(text));
        expect(plain(parse(text))).toEqual(JSON.parse(text));
      }),
    );
  });

  it('refuses whatever JSON.parse refuses', () => {
    const pieces = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      '"a"',
      '\\',
      '1',
      '-',
      '.5',
      'e+',
      '0',
      'true',
      'nul',
      ' ',
      '\n',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 8 }), (parts) => {
        const text = parts.join('');
        let valid = true;
        try {
          JSON.parse(text);
        } catch {
          valid = false;
        }
        if (!valid) expect(() => parse(text)).toThrow(CheckpointError);
        else if (!/"a".*"a"/s.test(text)) expect(() => parse(text)).not.toThrow();
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['a repeated key', '{"a":1,"a":2}', /duplicate key "a" at character/],
    ['a key repeated with escapes', '{"ab":1,"\\u0061b":2}', /duplicate key "ab"/],
    ['a repeated key deep inside', '{"x":{"y":{"b":1,"b":1}}}', /duplicate key "b".*in "x" > "y"/],
    ['an escaped lone surrogate', '{"a":"\\ud800"}', /half of a surrogate pair/],
    ['bare NaN', '{"a":NaN}', /expected a value at character 5/],
    ['text after the end', '{} {}', /expected the end/],
    ['an end too soon', '{"a"', /got the end of the text/],
  ])('refuses %s', (_, text, message) => {
    expect(() => parse(text)).toThrow(CheckpointError);
    expect(() => parse(text)).toThrow(message);
  });

  it('keeps keys that are special to JavaScript objects', () => {
    expect([...(parse('{"__proto__":1,"2":0,"1":0}') as ReadonlyMap<string, StrictJson>).keys()]).toEqual([
      '__proto__',
      '2',
      '1',
    ]);
  });

  it('refuses inexact integers where only integers may stand', () => {
    for (const literal of ['1.0', '1e3', '-0', '9007199254740992', '1'.repeat(30)]) {
      expect(() => parseStrictJson(`[${literal}]`, 'test', { integersOnly: true }), literal).toThrow(CheckpointError);
    }
    expect(parseStrictJson('[9007199254740991,-3]', 'test', { integersOnly: true })).toEqual([9007199254740991, -3]);
  });

  it.each([
    ['brackets', '['.repeat(3_000_000)],
    ['objects', `[${'{},'.repeat(2_000_000)}{}]`],
    ['digits', '1'.repeat(6_000_000)],
  ])('gives up on megabytes of %s instead of exhausting the stack or the heap', (_, text) => {
    expect(() => parse(text)).toThrow(CheckpointError);
  });

  it('reads a string of megabytes, plain or escaped', () => {
    expect(parse(`"${'a'.repeat(6_000_000)}"`)).toHaveLength(6_000_000);
    expect(parse(`"${'\\n'.repeat(3_000_000)}"`)).toHaveLength(3_000_000);
  });
});
