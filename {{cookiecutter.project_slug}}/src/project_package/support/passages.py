"""Split sections into passages with LlamaIndex."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from tokenizers import Tokenizer

from .index import Passage
from .sentences import cut_sentences

SPECIAL = 2  # tokens that the encoder adds to a text
LEAST = 16  # tokens of a passage, however long its title is


def split_sections(sections: Iterable[Passage], tokenizer: bytes, tokens: int) -> Iterator[Passage]:
    """Yield passages that end with a sentence where they can.

    A passage and its title have at most `tokens` tokens together.
    """
    from llama_index.core.node_parser import SentenceSplitter  # noqa: PLC0415  it takes 3 seconds

    counter = Tokenizer.from_buffer(tokenizer)
    counter.no_truncation()
    counter.no_padding()

    def ids(text: str) -> list[int]:
        found: list[int] = counter.encode(text, add_special_tokens=False).ids
        return found

    for section in sections:
        splitter = SentenceSplitter(
            chunk_size=max(tokens - len(ids(section.title)) - SPECIAL, LEAST),
            chunk_overlap=0,
            tokenizer=ids,
            chunking_tokenizer_fn=cut_sentences,
        )
        for text in splitter.split_text(section.text):
            yield replace(section, text=text)
