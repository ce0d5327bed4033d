import { TokenizerError } from '@xlstm/device';
import { isObject, type JsonObject } from './json-section.ts';
import { describe } from './tokenizer-from-parts.ts';

const FORM = 'a text or an array of { name, template }';

/** The chat templates of a `tokenizer_config.json` by name; one that has no name is called `default`. */
export function readChatTemplates(config: JsonObject): ReadonlyMap<string, string> {
  const { chat_template: section } = config;
  if (section === undefined || section === null) return new Map();
  if (typeof section === 'string') return new Map([['default', section]]);
  if (!Array.isArray(section)) refuse('', FORM, section);
  const templates = new Map<string, string>();
  section.forEach((entry: unknown, at) => {
    if (!isObject(entry)) refuse(`[${at}]`, 'an object with name and template', entry);
    const { name, template } = entry;
    if (typeof name !== 'string') refuse(`[${at}].name`, 'a text', name);
    if (typeof template !== 'string') refuse(`[${at}].template`, 'a text', template);
    if (templates.has(name)) refuse(`[${at}].name`, 'one that no other template has', name);
    templates.set(name, template);
  });
  return templates;
}

function refuse(place: string, expected: string, got: unknown): never {
  throw new TokenizerError(
    `loadTokenizer: tokenizer_config.json chat_template${place} must be ${expected}, got ${describe(got)}`,
  );
}
