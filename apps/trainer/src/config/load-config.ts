import { readFile } from 'node:fs/promises';
import { ConfigError } from '@xlstm/device';
import { parse } from 'yaml';

type Tree = Record<string, unknown>;

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Sets one field by its dotted path: `optimizer.lr=3e-4`; the value is read as YAML.
 *
 * @throws ConfigError when the text is no assignment or the path runs through something that is no section.
 */
export function applyOverride(config: Tree, override: string): void {
  const [, path, value] = /^([^=\s]+)=([\s\S]*)$/.exec(override) ?? [];
  if (path === undefined || value === undefined) {
    throw new ConfigError(`config: ${JSON.stringify(override)} is no override; write section.field=value`);
  }
  const names = path.split('.');
  const last = names.pop()!;
  let at = config;
  for (const name of names) {
    const next = at[name] ?? {};
    if (!isTree(next)) throw new ConfigError(`config: ${path} cannot be set, since ${name} is no section`);
    at[name] = next;
    at = next;
  }
  try {
    at[last] = parse(value) as unknown;
  } catch (cause) {
    throw new ConfigError(`config: the value of ${path} is no YAML: ${(cause as Error).message}`, { cause });
  }
}

/**
 * Reads a YAML file and applies overrides in order; nothing is validated yet.
 *
 * @throws ConfigError when the file cannot be read, is no YAML or holds no fields.
 */
export async function loadConfig(path: string, overrides: readonly string[] = []): Promise<Tree> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new ConfigError(`config: cannot read ${path}: ${(cause as Error).message}; name a YAML file`, { cause });
  }
  let config: unknown;
  try {
    config = parse(text);
  } catch (cause) {
    throw new ConfigError(`config: ${path} is no YAML: ${(cause as Error).message}`, { cause });
  }
  if (!isTree(config)) throw new ConfigError(`config: ${path} must hold fields such as out_dir, model and data`);
  for (const override of overrides) applyOverride(config, override);
  return config;
}
