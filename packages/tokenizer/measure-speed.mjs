// node packages/tokenizer/measure-speed.mjs TEXT [VOCABULARY], after a build: how fast training and encoding are.
import { readFileSync } from 'node:fs';
import { Tokenizer as LibraryTokenizer } from '@huggingface/tokenizers';
import { loadTokenizer, trainByteLevelBpe } from './dist/index.js';

const ROUNDS = 5;
const text = readFileSync(process.argv[2], 'utf8');
const vocabSize = Number(process.argv[3] ?? 4096);
const documents = text.split(/^<\|endoftext\|>\n/m);
const megabytes = Buffer.byteLength(text) / 1e6;

async function median(work) {
  const seconds = [];
  for (let round = 0; round < ROUNDS; round++) {
    const prepared = work.prepare?.();
    const start = performance.now();
    await work.run(prepared);
    seconds.push((performance.now() - start) / 1000);
  }
  return seconds.sort((a, b) => a - b)[ROUNDS >> 1];
}

function print(what, seconds) {
  console.log(
    JSON.stringify({ what, seconds: +seconds.toFixed(3), megabytes_per_second: +(megabytes / seconds).toFixed(2) }),
  );
}

const tokenizerJson = await trainByteLevelBpe(documents, { vocabSize });
const load = () => loadTokenizer({ tokenizerJson });
const warm = load();
const library = new LibraryTokenizer(tokenizerJson, {});
const byLibrary = (part) => library.encode(part, { add_special_tokens: false }).ids;
for (const part of documents.slice(0, 20)) {
  if (warm.encode(part).join() !== byLibrary(part).join()) throw new Error('the ids are not those of the library');
}

print(`train ${vocabSize}`, await median({ run: () => trainByteLevelBpe(documents, { vocabSize }) }));
const encodeWith = (encode) => {
  for (const part of documents) encode(part);
};
print('encode, words new', await median({ prepare: load, run: (fresh) => encodeWith(fresh.encode) }));
print('encode, words known', await median({ run: () => encodeWith(warm.encode) }));
print('encode, @huggingface/tokenizers', await median({ run: () => encodeWith(byLibrary) }));
console.log(
  JSON.stringify({ what: 'peak memory of all this, MB', value: Math.round(process.resourceUsage().maxRSS / 1024) }),
);
