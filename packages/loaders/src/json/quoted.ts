/** A name or value from a file, as an error message shows it: escaped, and cut where a hostile file made it long. */
export function quoted(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value.slice(0, 100)) : describe(value);
  const long = typeof value === 'string' ? value.length > 100 : text.length > 100;
  return long ? `${text.slice(0, 101)}…` : text;
}

function describe(value: unknown): string {
  if (value instanceof Map) return 'an object';
  if (Array.isArray(value)) return `[${value.slice(0, 8).map(quoted).join(', ')}${value.length > 8 ? ', …' : ''}]`;
  if (typeof value === 'object' && value !== null) return 'an object';
  return value === undefined ? 'nothing' : String(value);
}
