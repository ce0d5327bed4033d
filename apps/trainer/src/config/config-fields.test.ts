import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { configFields } from './config-fields.ts';
import { loadConfig } from './load-config.ts';
import { parseTrainerConfig } from './parse-config.ts';

const folder = join(import.meta.dirname, '../../configs');
const names = await readdir(folder);

describe('configFields', () => {
  it.each(names)('gives back %s, defaults included', async (name) => {
    const config = parseTrainerConfig(await loadConfig(join(folder, name)));
    const fields = configFields(config);
    expect(parseTrainerConfig(fields)).toEqual(config);
    expect(configFields(parseTrainerConfig(fields))).toEqual(fields);
    expect(fields).toMatchObject({ optimizer: { eps: 1e-8 }, logger: { report: true } });
  });

  it('keeps the options of a task and a cool-down', () => {
    const config = parseTrainerConfig({
      out_dir: 'run',
      model: { kind: 'xlstm-core' },
      task: { name: 'associative_recall', options: { key_value_pairs: 4 } },
      schedule: { name: 'warmup-stable-decay', cooldown_steps: 7 },
    });
    expect(configFields(config)).toMatchObject({
      task: { options: { key_value_pairs: 4 }, evaluation_ranges: [] },
      schedule: { cooldown_steps: 7 },
    });
    expect(parseTrainerConfig(configFields(config))).toEqual(config);
  });
});
