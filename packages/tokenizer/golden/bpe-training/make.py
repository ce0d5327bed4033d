"""Writes cases.json beside this file with Hugging Face's own trainer and encoder: pip install tokenizers==0.23.2"""

import json
import random
from pathlib import Path

from tokenizers import Tokenizer, __version__, models, normalizers, pre_tokenizers, trainers

LETTERS = [
    ["a"],
    ["a", "b"],
    [" ", "a"],
    ["a", "b", "c", " ", "\n"],
    [" ", "\n", "\t", "a"],
    ["é", "e\u0301", "日", "🙂", " ", "x"],
    ["'", "s", "t", " ", "!", "1", "½"],
    ["\u0085", "\ufeff", "\u00a0", "\u3000", "a", "."],
]
draw = random.Random(1)


def text(letters: list[str]) -> str:
    pieces = (draw.choice(letters) * draw.choice([1, 1, 1, 1, 1, 1, 2, 9]) for _ in range(draw.randint(1, 120)))
    return "".join(pieces)


def case(number: int) -> dict:
    texts = [text(LETTERS[number % len(LETTERS)]) for _ in range(draw.randint(1, 3))]
    vocab_size, min_frequency = draw.randint(258, 330), draw.randint(1, 3)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=min_frequency,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return {
        "texts": texts,
        "vocab_size": vocab_size,
        "min_frequency": min_frequency,
        "merges": json.loads(tokenizer.to_str())["model"]["merges"],
        "ids": [tokenizer.encode(t).ids for t in texts],
    }


result = {"made_by": f"make.py with tokenizers {__version__}", "cases": [case(n) for n in range(24)]}
with Path(__file__).with_name("cases.json").open("w") as file:
    file.write(json.dumps(result, ensure_ascii=True) + "\n")
