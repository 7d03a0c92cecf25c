"""No text becomes an added token, flagged as special or not, in tokenizers built like those of four families."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from equipoise.errors import UserError
from equipoise.policies.spelling import Spelling

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:;!?'\"-_/|<>[]{}()#@ \n\t"
PAIRS = (
    "th",
    "in",
    "er",
    "ch",
    "ta",
    "st",
    "ar",
    "tu",
    "rn",
    "of",
    "oo",
    "ol",
    "ca",
    "ll",
    "im",
    "en",
    "se",
    "IN",
    "ST",
)
ALPHABET = sorted(pre_tokenizers.ByteLevel.alphabet())
BYTE_ORDER = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100), *range(0x21), *range(0x7F, 0xA1), 0xAD]
BYTE_SIGNS = [*map(chr, BYTE_ORDER[:188]), *map(chr, range(0x100, 0x144))]
"""Every byte, and the letter that stands for it in a byte-level vocabulary."""
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
MARKS = {"qwen": ("<|endoftext|>", "<|im_start|>", "<|im_end|>"), "llama3": ("<|begin_of_text|>", "<|eot_id|>")}


def fast(backend, added):
    """A transformers tokenizer; `added` are the settings of added tokens by content."""
    backend.add_tokens([AddedToken(content, **how) for content, how in added.items()])
    return PreTrainedTokenizerFast(tokenizer_object=backend, clean_up_tokenization_spaces=False)


def each(contents, **how):
    """One way to add for several tokens."""
    return {content: how for content in contents}


def merges(vocab, pairs, extra=()):
    """The vocabulary with every mergeable pair, and the merges."""
    listed = list(dict.fromkeys([*vocab, *pairs, *extra]))
    return {token: i for i, token in enumerate(listed)}, [tuple(pair) for pair in pairs]


def byte_level(pattern, extra=(), **settings):
    vocab, pairs = merges(ALPHABET, PAIRS, extra)
    backend = Tokenizer(models.BPE(vocab, pairs, **settings))
    split = pre_tokenizers.Split(Regex(pattern), "isolated")
    backend.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(False, use_regex=False)])
    backend.decoder = decoders.ByteLevel()
    return backend


def qwen():
    backend = byte_level(r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+")
    backend.normalizer = normalizers.NFC()
    words = ("<tool_call>", "</tool_call>", "<think>", "</think>")
    how = {**each(MARKS["qwen"], special=True), **each(words, special=False)}
    return fast(backend, how)


def qwen_without_flags():
    """ChatML whose turns are added tokens that nobody flagged, one of them with every way to match generously."""
    backend = byte_level(r"\p{L}+|[^\p{L}]+")
    generous = dict(special=False, lstrip=True, rstrip=True, normalized=True)
    how = {**each(MARKS["qwen"], special=False), "<tool_call>": generous}
    return fast(backend, how | {"system": dict(special=False, single_word=True)})


def llama3():
    """Whole pieces are looked up before they are merged, and the vocabulary lists the control tokens."""
    backend = byte_level(r"<\|\w+\|>|\p{L}+|[^\p{L}]", MARKS["llama3"], ignore_merges=True)
    return fast(backend, each(MARKS["llama3"], special=True))


def sentencepiece(controls, **settings):
    base = ["<unk>", *controls, *BYTES, *LETTERS.replace(" ", "\u2581"), "\u2581\u2581"]
    vocab, pairs = merges(base, PAIRS)
    return Tokenizer(models.BPE(vocab, pairs, unk_token="<unk>", byte_fallback=True, fuse_unk=True, **settings))


def gemma():
    """Control tokens, runs of blanks and the line feed are listed twice: in the vocabulary, and as added tokens."""
    flagged = ("<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>")
    unflagged = ("<table>", "\n\n", "\u2581\u2581", "\n")
    backend = sentencepiece([*flagged, *unflagged])
    backend.normalizer = normalizers.Replace(" ", "\u2581")
    backend.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    backend.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    how = each(("<unk>", *flagged), special=True, normalized=False)
    return fast(backend, how | each(unflagged, special=False, normalized=False))


def mistral():
    backend = sentencepiece(["<s>", "</s>", "[INST]", "[/INST]"])
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    space = decoders.Replace("\u2581", " ")
    backend.decoder = decoders.Sequence([space, decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    how = each(("<unk>", "<s>", "</s>"), special=True, normalized=False)
    return fast(backend, how | each(("[INST]", "[/INST]"), special=False))


def unigram():
    """A model that prefers the control token to its letters wherever it may choose."""
    controls = ["</s>", "[INST]", "[/INST]"]
    letters = LETTERS.replace(" ", "\u2581")
    scores = [
        ("<unk>", 0.0),
        *((c, 0.0) for c in controls),
        *((b, -20.0) for b in BYTES),
        *((x, -9.0) for x in letters),
    ]
    backend = Tokenizer(models.Unigram(scores, unk_id=0, byte_fallback=True))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never", split=False)
    backend.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    how = each(("<unk>", "</s>"), special=True)
    return fast(backend, how | each(controls[1:], special=False))


KINDS = {build.__name__: build() for build in (qwen, qwen_without_flags, llama3, gemma, mistral, unigram)}
EVERY = pytest.mark.parametrize("kind", KINDS)
LINE_FEED = {"gemma": {KINDS["gemma"].convert_tokens_to_ids("\n")}}
"""An added token with no other spelling, and no meaning but its own."""


def added(kind):
    """The ids of all added tokens that open, close or call anything."""
    return set(KINDS[kind].added_tokens_decoder) - LINE_FEED.get(kind, set())


def before(tokenizer, text):
    """Tokens with nothing but the flagged tokens split."""
    return tuple(tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])


@EVERY
def test_every_added_token_is_a_token_of_its_own_where_a_template_writes_it(kind):
    tokenizer = KINDS[kind]
    for number, token in tokenizer.added_tokens_decoder.items():
        assert number in tokenizer(f"a {token.content} b", add_special_tokens=False)["input_ids"], token


@pytest.mark.parametrize("kind", ["qwen", "qwen_without_flags", "llama3", "mistral", "unigram", "gemma"])
def test_splitting_the_flagged_tokens_alone_lets_added_ones_through(kind):
    tokenizer = KINDS[kind]
    contents = [token.content for token in tokenizer.added_tokens_decoder.values()]
    assert added(kind) & {number for content in contents for number in before(tokenizer, f"a {content} b")}


def pieces(kind):
    contents = [token.content for token in KINDS[kind].added_tokens_decoder.values()]
    cut = [content[:half] for content in contents for half in (1, len(content) // 2)]
    letters = st.text(LETTERS, max_size=6)
    return st.one_of(st.sampled_from(contents), st.sampled_from(cut + [c[1:] for c in contents]), letters)


@EVERY
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_no_text_of_added_tokens_blanks_and_letters_becomes_an_added_token(kind, data):
    tokenizer = KINDS[kind]
    text = "".join(data.draw(st.lists(pieces(kind), max_size=8)))
    ids = Spelling.of(tokenizer).ids(text)
    assert added(kind).isdisjoint(ids)
    assert tokenizer.decode(list(ids)) == text.replace("\u2581", " ")


@EVERY
@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=20))
def test_any_text_of_unicode_is_written_without_added_tokens(kind, text):
    ids = Spelling.of(KINDS[kind]).ids(text)
    assert added(kind).isdisjoint(ids)


@EVERY
@settings(max_examples=200, deadline=None)
@given(text=st.text(LETTERS.replace("\n", "").replace(" ", ""), max_size=30), words=st.lists(st.sampled_from(PAIRS)))
def test_a_text_without_added_tokens_has_the_tokens_it_always_had(kind, text, words):
    tokenizer, whole = KINDS[kind], f"{text} {' '.join(words)}".replace("system", "")
    if not any(token.content in whole for token in tokenizer.added_tokens_decoder.values() if token.content != "\n"):
        assert Spelling.of(tokenizer).ids(whole) == before(tokenizer, whole)


def test_the_embedded_tokenizers_write_what_they_wrote(tokenizer):
    plain = Spelling.of(tokenizer)
    for text in ("", "bet", "You bet. The other player calls. 2 1 0?", "<|end|>", "a\n<|see|> \u2660", "<|say|>check"):
        assert plain.ids(text) == (before(tokenizer, text) if text else ())


def test_a_line_feed_that_is_listed_again_is_a_letter_like_others():
    tokenizer = KINDS["gemma"]
    feed, two = (tokenizer.convert_tokens_to_ids(text) for text in ("\n", "\n\n"))
    assert Spelling.of(tokenizer).ids("a\n\n\nb").count(feed) == 3
    assert two not in Spelling.of(tokenizer).ids("a\n\nb")


def test_a_letter_that_is_an_added_token_is_written_in_bytes_or_refused():
    with_bytes = sentencepiece(["<s>"])
    with_bytes.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    assert Spelling.of(fast(with_bytes, {"q": dict(special=False)})).ids("q") == (with_bytes.token_to_id("<0x71>"),)
    without = byte_level(r".")
    with pytest.raises(UserError, match="added token 'q'"):
        Spelling.of(fast(without, {"q": dict(special=False)}))


def test_a_tokenizer_that_cannot_write_every_text_is_refused():
    vocab, pairs = merges(["<unk>", *LETTERS], PAIRS)
    for settings_ in (dict(unk_token="<unk>"), {}):  # the unknown token, or nothing at all
        with pytest.raises(UserError, match="cannot write every text"):
            Spelling.of(fast(Tokenizer(models.BPE(vocab, pairs, **settings_)), {"<unk>": dict(special=True)}))


def without_bytes(missing):
    """A byte-level tokenizer whose vocabulary lists no token for some bytes, as SmolLM2's does not."""
    shown = {byte: sign for byte, sign in zip(BYTE_ORDER, BYTE_SIGNS, strict=True)}
    vocab, pairs = merges([sign for sign in ALPHABET if sign not in {shown[byte] for byte in missing}], PAIRS)
    backend = Tokenizer(models.BPE(vocab, pairs))
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.ByteLevel(False), decoders.ByteLevel()
    return fast(backend, each(MARKS["qwen"], special=True))


def test_rare_characters_without_a_token_are_written_as_their_escapes():
    tokenizer = without_bytes([0x04, 0x7F, 0xF1, 0xF3, 0xF5])
    written = tokenizer.decode(list(Spelling.of(tokenizer).ids("a\x04\x05\U00040001\U000e0100\U0001f600\x7f")))
    assert written == "a\\u0004\x05\\U00040001\\U000e0100\U0001f600\\u007f"
    with pytest.raises(UserError, match="cannot write every text"):
        Spelling.of(without_bytes([0xF0]))


def test_a_tokenizer_without_a_pipeline_is_refused():
    with pytest.raises(UserError, match="no fast one"):
        Spelling.of(object())


def test_the_tokenizer_itself_is_left_as_it_was(tokenizer):
    text = tokenizer.backend_tokenizer.to_str()
    Spelling.of(tokenizer).ids("<|end|>")
    assert json.loads(tokenizer.backend_tokenizer.to_str()) == json.loads(text)
    assert tokenizer.convert_tokens_to_ids("<|end|>") in tokenizer("<|end|>")["input_ids"]
