import { cpSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type MadeUpTensors, MLSTM_FIELDS, madeUpMlstm, writeCase } from './made-up-case.ts';
import type { Counts, Result } from './record.ts';
import { runCommand } from './run-command.ts';

/** recurrent, chunkwise in three chunk sizes, parallel, and the one that takes what is best */
const FORMS = 6;
/** those of them that have a backward, each held to the made-up case's dq */
const BACKWARDS = 4;
const OUTPUTS = 4 * FORMS + BACKWARDS;
const ownTokenizer = fileURLToPath(new URL('../../../packages/tokenizer/golden/tokenizer', import.meta.url));

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'xlstm-conformance-'));
});
afterEach(() => rm(root, { recursive: true }));

async function run(...argv: string[]): Promise<{ code: number; out: string; error: string }> {
  let [out, error] = ['', ''];
  const code = await runCommand(argv, {
    out: (text) => {
      out += text;
    },
    error: (text) => {
      error += text;
    },
  });
  return { code, out, error };
}

/** Runs on the CPU device and reads the JSON lines. */
async function results(
  ...options: string[]
): Promise<{ code: number; error: string; results: Result[]; counts: Counts }> {
  const { code, out, error } = await run(root, '--device', 'cpu', '--json', ...options);
  const lines = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
  return { code, error, counts: lines.pop() as Counts, results: lines as Result[] };
}

function changed(name: string, change: (data: number[]) => number[]): MadeUpTensors {
  const tensors = madeUpMlstm();
  tensors[name]!.data = change(tensors[name]!.data);
  return tensors;
}

const failedTensors = (all: readonly Result[]): string[] =>
  all.filter(({ status }) => status === 'failed').map(({ tensor }) => tensor);

describe('conformance on an mlstm case', () => {
  it('passes every form, counts what nothing computes as not covered, and counts no input', async () => {
    await writeCase(join(root, 'nested/right'), MLSTM_FIELDS, madeUpMlstm());
    const { code, results: all, counts } = await results();
    expect(failedTensors(all)).toEqual([]);
    expect(counts).toEqual({ passed: OUTPUTS, failed: 0, notCovered: 1 });
    expect(code).toBe(0);
    for (const result of all.filter(({ status }) => status === 'passed')) {
      expect(result).toMatchObject({ case: 'nested/right', kind: 'mlstm', device: 'cpu' });
      expect(result.share).toBeLessThanOrEqual(1);
      expect(result.relativeRms).toBeLessThan(1e-5);
      expect(result.maxError).not.toBeNull();
    }
    expect(all.map(({ tensor }) => tensor)).toContain('h (chunkwise 32)');
    expect(all.at(-1)).toMatchObject({ tensor: 'dsomething', status: 'notCovered', relativeRms: null, share: null });
  });

  it('takes the folder of one case', async () => {
    await writeCase(root, MLSTM_FIELDS, madeUpMlstm());
    expect(await results()).toMatchObject({ code: 0, counts: { passed: OUTPUTS } });
  });

  it('fails outputs that are off by little, and only those', async () => {
    await writeCase(
      join(root, 'a'),
      MLSTM_FIELDS,
      changed('h', (data) => data.map((x) => x * 1.00005)),
    );
    const { code, results: all, error } = await results();
    expect(code).toBe(1);
    expect(failedTensors(all)).toHaveLength(FORMS);
    expect(failedTensors(all).every((tensor) => tensor.startsWith('h ('))).toBe(true);
    expect(error).toMatch(/FAIL a on cpu: h \(recurrent\): worst element/);
  });

  it('fails a gradient that is off by little', async () => {
    await writeCase(
      join(root, 'a'),
      MLSTM_FIELDS,
      changed('dq', (data) => data.map((x) => x * 1.0002)),
    );
    expect(failedTensors((await results()).results)).toEqual(
      ['chunkwise 32', 'chunkwise 64', 'chunkwise 128', 'parallel'].map((form) => `dq (${form})`),
    );
  });

  it.each(['h', 'c_last', 'n_last', 'm_last'])(
    'fails when %s is NaN where it was expected to be a number',
    async (name) => {
      await writeCase(
        join(root, 'a'),
        MLSTM_FIELDS,
        changed(name, ([, ...rest]) => [Number.NaN, ...rest]),
      );
      const { code, results: all } = await results();
      expect(code).toBe(1);
      expect(failedTensors(all)).toContain(`${name} (recurrent)`);
    },
  );

  it('fails NaN that came of the inputs', async () => {
    await writeCase(
      join(root, 'a'),
      MLSTM_FIELDS,
      changed('q', ([, ...rest]) => [Number.NaN, ...rest]),
    );
    expect(failedTensors((await results()).results)).toContain('h (recurrent)');
  });

  it('accepts another stabiliser for the same memory, and not another memory', async () => {
    const tensors = madeUpMlstm();
    const shift = 0.5;
    for (const name of ['c_last', 'n_last']) {
      tensors[name]!.data = tensors[name]!.data.map((x) => x * Math.exp(shift));
    }
    tensors.m_last!.data = tensors.m_last!.data.map((x) => x - shift);
    await writeCase(join(root, 'a'), MLSTM_FIELDS, tensors);
    const { code, results: all } = await results();
    expect(failedTensors(all)).toEqual([]);
    expect(code).toBe(0);
    expect(all.find(({ tensor }) => tensor === 'm_last (recurrent)')?.message).toMatch(/stabiliser/);

    tensors.m_last!.data = madeUpMlstm().m_last!.data;
    await writeCase(join(root, 'a'), MLSTM_FIELDS, tensors);
    expect(failedTensors((await results()).results)).toEqual(
      expect.arrayContaining(['c_last (parallel)', 'n_last (parallel)']),
    );
  });

  it('fails an expected shape that differs, and inputs that do not fit the case', async () => {
    const transposed = madeUpMlstm();
    transposed.h!.shape = [2, 2, 4, 5];
    await writeCase(join(root, 'output'), MLSTM_FIELDS, transposed);
    const input = madeUpMlstm();
    input.q!.shape = [2, 2, 3, 5];
    await writeCase(join(root, 'input'), MLSTM_FIELDS, input);
    const { results: all } = await results();
    expect(all.find((r) => r.case === 'output' && r.tensor === 'h (parallel)')?.message).toMatch(/expected shape/);
    expect(failedTensors(all.filter((r) => r.case === 'input'))).toEqual(['h', 'c_last', 'n_last', 'm_last']);
  });
});

describe('conformance on what it cannot run', () => {
  it('fails an unknown kind by its name and goes on', async () => {
    await writeCase(join(root, 'a'), { kind: 'transformer' });
    await writeCase(join(root, 'b'), { kind: 'constructor' });
    await writeCase(join(root, 'c'), MLSTM_FIELDS, madeUpMlstm());
    const { code, results: all, counts } = await results();
    expect(code).toBe(1);
    expect(counts).toMatchObject({ passed: OUTPUTS, failed: 2 });
    expect(all[0]).toMatchObject({ case: 'a', kind: 'transformer', tensor: '(case)', status: 'failed' });
    expect(all[0]!.message).toMatch(/transformer.*mlstm/);
  });

  it('fails a case without tensors, with a damaged file, and with a case.json that is not JSON, and goes on', async () => {
    await writeCase(join(root, 'a'), MLSTM_FIELDS);
    await writeCase(join(root, 'b'), MLSTM_FIELDS);
    await writeFile(join(root, 'b/tensors.safetensors'), 'no safetensors');
    await mkdir(join(root, 'c'));
    await writeFile(join(root, 'c/case.json'), '{ "kind": ');
    await writeCase(join(root, 'd'), { ...MLSTM_FIELDS, NH: 'two' }, madeUpMlstm());
    await writeCase(join(root, 'e'), { kind: 'tokenizer' });
    await writeCase(join(root, 'f'), MLSTM_FIELDS, madeUpMlstm());
    const { code, results: all, counts } = await results();
    expect(code).toBe(1);
    expect(counts.passed).toBe(OUTPUTS);
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      const own = all.filter((result) => result.case === name);
      expect(own.filter(({ status }) => status === 'passed')).toEqual([]);
      expect(failedTensors(own).length).toBeGreaterThan(0);
    }
  });

  it('counts what nothing computes', async () => {
    await writeCase(join(root, 'cell'), MLSTM_FIELDS, madeUpMlstm());
    const { code, results: all, counts } = await results();
    expect(all.flatMap(({ tensor, status }) => (status === 'notCovered' ? [tensor] : []))).toEqual(['dsomething']);
    expect(counts).toEqual({ passed: all.length - 1, failed: 0, notCovered: 1 });
    expect(all.length).toBeGreaterThan(1);
    expect(code).toBe(0);
  });

  it('is no success in an empty folder, or with a filter that matches nothing', async () => {
    expect(await results()).toMatchObject({ code: 1, counts: { passed: 0, failed: 0, notCovered: 0 } });
    await writeCase(join(root, 'a'), MLSTM_FIELDS, madeUpMlstm());
    const filtered = await results('--filter', 'large/');
    expect(filtered.code).toBe(1);
    expect(filtered.error).toMatch(/nothing ran.*large\//);
    expect((await results('--filter', 'a')).code).toBe(0);
  });

  it('refuses command lines that make no sense', async () => {
    for (const argv of [[], [root, root], [root, '--device', 'tpu'], [root, '--jsn'], [join(root, 'nowhere')]]) {
      expect((await run(...argv)).code, argv.join(' ')).toBe(2);
    }
    const help = await run('--help');
    expect(help).toMatchObject({ code: 0, error: '' });
    expect(help.out).toMatch(/--device/);
  });
});

describe('conformance on a tokenizer case', () => {
  it('passes the tokenizer that is kept in the project, once, whatever the devices are', async () => {
    cpSync(ownTokenizer, join(root, 'tokenizer'), { recursive: true });
    const { code, out } = await run(root, '--device', 'cpu,webgpu', '--device', 'cpu', '--filter', 'tokenizer');
    expect(out).toMatch(/tokenizer \(tokenizer\) on host[\s\S]*\n5 passed, \d failed/);
    expect(out.match(/PASS/g)).toHaveLength(5);
    expect([0, 1]).toContain(code);
  });

  it('fails an id and a text that differ', async () => {
    cpSync(ownTokenizer, join(root, 'tokenizer'), { recursive: true });
    await writeFile(
      join(root, 'tokenizer/cases.json'),
      JSON.stringify([{ text: ' ', ids: [223], decoded: ' ', decoded_skip: '  ' }]),
    );
    const { code, results: all } = await results();
    expect(code).toBe(1);
    expect(failedTensors(all)).toEqual(
      expect.arrayContaining(['ids', 'decoded', 'decoded_skip', 'decoded_skip (streamed)']),
    );
  });

  it('says when the corpus is not there', async () => {
    cpSync(ownTokenizer, join(root, 'a/b/tokenizer'), { recursive: true });
    await writeCase(join(root, 'a/b/tokenizer'), { kind: 'tokenizer', corpus: 'corpus.json' });
    await writeFile(join(root, 'a/b/tokenizer/corpus.json'), JSON.stringify({ file: 'no-such-text.txt', ids: 1 }));
    const { code, results: all } = await results();
    expect(code).toBe(0);
    expect(all.at(-1)).toMatchObject({ tensor: 'corpus ids', status: 'notCovered' });
  });
});
