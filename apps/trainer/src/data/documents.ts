import { DataError } from './data-error.ts';
import { type ReadTextOptions, readText } from './utf8-text.ts';

/** A stretch of a document. Long documents come in several, so that none is held in memory whole. */
export interface DocumentPiece {
  readonly text: string;
  /** Whether a document begins with it. */
  readonly begins: boolean;
}

export interface TextDocumentsOptions extends ReadTextOptions {
  /** A line holding only this divides the file into documents; left out, the file is one. */
  readonly separator?: string | undefined;
  /** Documents longer than twice this many UTF-16 units come in pieces. */
  readonly pieceLength?: number | undefined;
}

const PIECE = 1024 * 1024;
const LONGEST_LINE = 256 * 1024 * 1024;

/**
 * The documents of a text file. The line break before a separator belongs to the separator; documents of nothing but
 * white space are left out. All other characters are kept.
 *
 * Pieces of a long document are cut before a space between letters, where the pre-tokenisers in use divide words anyway,
 * so that the ids are those of the whole document.
 *
 * @throws DataError when the file is no text.
 */
export async function* textDocuments(file: string, options: TextDocumentsOptions = {}): AsyncGenerator<DocumentPiece> {
  const { separator, pieceLength = PIECE } = options;
  let text = '';
  let lineStart = 0;
  let scanned = 0;
  // The beginning of the line that is being read was handed out already: it is longer than any separator.
  let midLine = false;
  let begins = true;

  for await (const run of readText(file, options)) {
    text += run;
    for (let end = text.indexOf('\n', scanned); end >= 0; end = text.indexOf('\n', scanned)) {
      if (!midLine && separator !== undefined && isLine(text, lineStart, end, separator)) {
        const rest = withoutLastBreak(text.slice(0, lineStart));
        if (rest.length > 0 && !(begins && isBlank(rest))) yield { text: rest, begins };
        begins = true;
        text = text.slice(end + 1);
        lineStart = scanned = 0;
      } else {
        lineStart = scanned = end + 1;
      }
      midLine = false;
    }
    scanned = text.length;
    while (text.length >= 2 * pieceLength) {
      const cut = cutPlace(text, pieceLength);
      // Whether this is a document or a blank is not known yet.
      if (begins && isBlank(text.slice(0, cut))) break;
      yield { text: text.slice(0, cut), begins };
      begins = false;
      text = text.slice(cut);
      midLine ||= lineStart < cut;
      lineStart = Math.max(0, lineStart - cut);
      scanned -= cut;
    }
  }
  if (!midLine && separator !== undefined && isLine(text, lineStart, text.length, separator)) {
    text = withoutLastBreak(text.slice(0, lineStart));
  }
  if (text.length > 0 && !(begins && isBlank(text))) yield { text, begins };
}

/**
 * The documents of a JSON Lines file: a string field of the object on each line. Empty lines and blank documents are
 * left out.
 *
 * @throws DataError with the line number when a line is no JSON object or lacks the field.
 */
export async function* jsonlDocuments(
  file: string,
  field: string,
  options: ReadTextOptions = {},
): AsyncGenerator<DocumentPiece> {
  let pending = '';
  let line = 0;
  for await (const run of readText(file, options)) {
    const lines = (pending + run).split('\n');
    pending = lines.pop()!;
    for (const content of lines) {
      line++;
      const text = textField(content, field, file, line);
      if (!isBlank(text)) yield { text, begins: true };
    }
    if (pending.length > LONGEST_LINE) {
      throw new DataError(
        `reading JSON lines: line ${line + 1} of ${file} is longer than ${LONGEST_LINE} characters; is it one object a line?`,
        { file, line: line + 1 },
      );
    }
  }
  const text = textField(pending, field, file, line + 1);
  if (!isBlank(text)) yield { text, begins: true };
}

function textField(content: string, field: string, file: string, line: number): string {
  if (isBlank(content)) return '';
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (cause) {
    throw new DataError(
      `reading JSON lines: line ${line} of ${file} is not JSON (${(cause as Error).message}); write one object a line`,
      { file, line, cause },
    );
  }
  const object = typeof value === 'object' && value !== null && !Array.isArray(value);
  const text = object && Object.hasOwn(value as object, field) ? (value as Record<string, unknown>)[field] : undefined;
  if (typeof text === 'string') return text;
  const got = object
    ? `an object with ${Object.keys(value as object).join(', ') || 'no fields'}`
    : content.slice(0, 40);
  throw new DataError(
    `reading JSON lines: line ${line} of ${file} must be an object with a string "${field}", got ${got}`,
    { file, line },
  );
}

function isLine(text: string, start: number, end: number, line: string): boolean {
  const length = text[end - 1] === '\r' && end - start === line.length + 1 ? line.length : end - start;
  return length === line.length && text.startsWith(line, start);
}

function withoutLastBreak(text: string): string {
  if (!text.endsWith('\n')) return text;
  return text.slice(0, text.endsWith('\r\n') ? -2 : -1);
}

function isBlank(text: string): boolean {
  return !/\S/u.test(text);
}

/** Where to cut, somewhere from `from` to `2 * from`. */
function cutPlace(text: string, from: number): number {
  const betweenWords = /\p{L} \p{L}/gu;
  betweenWords.lastIndex = from;
  const found = betweenWords.exec(text);
  if (found && found.index < 2 * from) return found.index + found[0].indexOf(' ');
  const lineBreak = text.indexOf('\n', from);
  const cut = lineBreak >= 0 && lineBreak < 2 * from ? lineBreak : from;
  // A line break of two characters stays whole, and so does a character of two units.
  if (text[cut - 1] === '\r' && text[cut] === '\n') return cut - 1;
  const high = text.charCodeAt(cut - 1);
  return high >= 0xd800 && high < 0xdc00 ? cut + 1 : cut;
}
