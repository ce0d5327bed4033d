import { loadTokenizer, type Tokenizer } from '@xlstm/tokenizer';
import { CaseError, type CaseFiles, readCaseJson, readText } from '../golden-case.ts';
import type { HostKindOfCase, Job } from '../job.ts';
import { failure } from '../measure.ts';
import type { Measurement } from '../record.ts';

interface GoldenText {
  text: string;
  ids: number[];
  decoded: string;
  decoded_skip: string;
}

interface GoldenCorpus {
  file: string;
  ids: number;
  sha256_of_little_endian_uint32: string;
}

/** All texts agree, or how many do not and which is the first. Errors are counted in texts. */
function measureTexts(texts: readonly GoldenText[], agrees: (golden: GoldenText) => string | undefined): Measurement {
  const complaints: string[] = [];
  for (const golden of texts) {
    const complaint = agrees(golden);
    if (complaint !== undefined) complaints.push(`${JSON.stringify(golden.text.slice(0, 40))}: ${complaint}`);
  }
  if (complaints.length === 0) return { pass: true, relativeRms: 0, maxError: 0, share: 0 };
  return failure(`${complaints.length} of ${texts.length} texts differ, the first ${complaints[0]}`);
}

function different(actual: string, expected: string): string | undefined {
  return actual === expected ? undefined : `${JSON.stringify(actual)} for ${JSON.stringify(expected)}`;
}

async function readTexts(files: CaseFiles): Promise<GoldenText[]> {
  const texts = await readCaseJson(files, 'cases.json');
  if (!Array.isArray(texts) || texts.length === 0) throw new CaseError('cases.json: expected a list of texts');
  for (const { text, ids, decoded, decoded_skip } of texts as GoldenText[]) {
    if (![text, decoded, decoded_skip].every((part) => typeof part === 'string') || !Array.isArray(ids)) {
      throw new CaseError(
        `cases.json: each entry needs text, ids, decoded and decoded_skip, got ${JSON.stringify(text)}`,
      );
    }
  }
  return texts as GoldenText[];
}

function reportTexts(job: Job, tokenizer: Tokenizer, texts: readonly GoldenText[]): void {
  job.report(
    'ids',
    measureTexts(texts, ({ text, ids }) =>
      different(tokenizer.encode(text, { addBos: false }).join(' '), ids.join(' ')),
    ),
  );
  for (const [name, skipSpecialTokens] of [
    ['decoded', false],
    ['decoded_skip', true],
  ] as const) {
    const whole = (golden: GoldenText) => different(tokenizer.decode(golden.ids, { skipSpecialTokens }), golden[name]);
    const streamed = (golden: GoldenText) => {
      const stream = tokenizer.stream({ skipSpecialTokens });
      return different(golden.ids.map((id) => stream.push(id)).join('') + stream.flush(), golden[name]);
    };
    job.report(name, measureTexts(texts, whole));
    job.report(`${name} (streamed)`, measureTexts(texts, streamed));
  }
}

/** Ids of a whole text, of which only the count and the hash are known. */
async function reportCorpus(job: Job, tokenizer: Tokenizer, file: string): Promise<void> {
  const { files } = job.input;
  const golden = (await readCaseJson(files, file)) as GoldenCorpus;
  const source = await files.corpus(golden.file);
  if (!source) {
    job.notCovered('corpus ids', `there is no ${golden.file} in ../../corpus; set XLSTM_CORPUS to its folder`);
    return;
  }
  const ids = tokenizer.encode(await readText(source), { addBos: false });
  const bytes = new DataView(new ArrayBuffer(4 * ids.length));
  for (const [index, id] of ids.entries()) bytes.setUint32(4 * index, id, true);
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes.buffer));
  const hash = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
  const complaint =
    different(String(ids.length), String(golden.ids)) ?? different(hash, golden.sha256_of_little_endian_uint32);
  const equal = { pass: true, relativeRms: 0, maxError: 0, share: 0 };
  job.report('corpus ids', complaint === undefined ? equal : failure(complaint));
}

async function runTokenizer(job: Job): Promise<void> {
  const { files, fields } = job.input;
  const outputs = ['ids', 'decoded', 'decoded (streamed)', 'decoded_skip', 'decoded_skip (streamed)'];
  const corpus = typeof fields.corpus === 'string' ? fields.corpus : undefined;
  const everything = corpus === undefined ? outputs : [...outputs, 'corpus ids'];
  await job.attempt(everything, async () => {
    const tokenizerJson = await readCaseJson(files, 'tokenizer.json');
    const tokenizer = loadTokenizer({ tokenizerJson: tokenizerJson as object });
    await job.attempt(outputs, async () => reportTexts(job, tokenizer, await readTexts(files)));
    if (corpus !== undefined) await job.attempt(['corpus ids'], () => reportCorpus(job, tokenizer, corpus));
  });
}

/** A tokenizer: ids of texts, their decoding whole and streamed, and the ids of a corpus. */
export const tokenizerCase: HostKindOfCase = { runsOn: 'host', run: runTokenizer };
