"""The decoder that keeps keys and values: what it runs ahead, what it shares, and what it frees."""

import numpy as np
import pytest
import torch

from equipoise.engines.ahead import MOST_AHEAD, tree_batch, tree_of
from equipoise.engines.engine import Context
from equipoise.engines.kept import KeptDecoder

RULES, TURNS = tuple(range(10, 30)), [tuple(range(40, 48)), tuple(range(50, 55)), (60,)]
REPLIES = ((7, 8, 4), (7, 9, 4))
"""A tree of three nodes: 7, then 8 or 9."""


def plain(model, ids):
    """Logits after the last of `ids`, by a forward pass over all of them."""
    with torch.inference_mode():
        return model(input_ids=torch.tensor([ids])).logits[0, -1]


@pytest.fixture
def passes(embedded, monkeypatch):
    """The model and the shape of every batch it was run on."""
    model, _ = embedded
    shapes, forward = [], model.forward

    def counted(*args, **kwargs):
        shapes.append(tuple(kwargs["input_ids"].shape))
        return forward(*args, **kwargs)

    monkeypatch.setattr(model, "forward", counted)
    return model, shapes


def begun(model):
    """A decoder, and the context of rules that it has read."""
    decoder, root = KeptDecoder(model), Context(RULES)
    decoder.feed([root.then((9,)), root.then((8,))])
    assert root.memory is not None
    return decoder, root


def test_a_tree_holds_every_reply_but_its_end_once():
    tree = tree_of(REPLIES)
    assert (tree.tokens, tree.parents, tree.depths.tolist()) == ((7, 8, 9), (-1, 0, 0), [0, 1, 1])
    assert tree.lines.astype(int).tolist() == [[1, 0, 0], [1, 1, 0], [1, 0, 1]]
    tokens, depths, lines = tree_batch([tree_of(()), tree])
    assert tokens.tolist() == [[0, 0, 0], [7, 8, 9]]
    assert depths[0].tolist() == [0, 0, 0]
    assert not lines[0].any()


def test_replies_with_too_many_beginnings_are_not_run_ahead():
    assert len(tree_of(tuple((token, 4) for token in range(MOST_AHEAD))).tokens) == MOST_AHEAD
    assert tree_of(tuple((token, 4) for token in range(MOST_AHEAD + 1))).tokens == ()


def test_logits_are_those_of_a_plain_forward_pass_with_and_without_tokens_ahead(embedded):
    model, _ = embedded
    decoder, root = begun(model)
    likely = [REPLIES, (), ((11, 4),)]
    logits = decoder.feed([root.then(turn) for turn in TURNS], likely)
    lines = [RULES + turn for turn in TURNS]
    for row, line in enumerate(lines):
        torch.testing.assert_close(logits[row], plain(model, line), atol=1e-4, rtol=0)
    drawn = [[(0, 7), (0, 30), (1, 7), (2, 11)], [(0, 9), (0, 8), (1, 9), (2, 8), (3, 4)], [(1, 5), (0, 5), (4, 5)]]
    for step in drawn:
        parents, tokens = np.array(step).T
        logits = decoder.branch(parents, tokens)
        lines = [(*lines[parent], token) for parent, token in step]
        for row, line in enumerate(lines):
            torch.testing.assert_close(logits[row], plain(model, line), atol=1e-4, rtol=0)


def test_a_context_goes_on_after_a_reply_that_was_run_ahead(embedded):
    model, _ = embedded
    decoder, root = begun(model)
    decoder.feed([root.then(TURNS[0])], [REPLIES])
    decoder.branch(np.array([0, 0]), np.array([7, 7]))
    decoder.branch(np.array([0, 1]), np.array([8, 9]))
    lines = [RULES + TURNS[0] + reply for reply in REPLIES]
    contexts = [Context(line) for line in lines]
    for row, context in enumerate(contexts):
        decoder.remember(context, row)
    following = [contexts[0].then(TURNS[1]), contexts[1].then(TURNS[1]), contexts[0].then(TURNS[2])]
    logits = decoder.feed(following)
    for row, line in enumerate([lines[0] + TURNS[1], lines[1] + TURNS[1], lines[0] + TURNS[2]]):
        torch.testing.assert_close(logits[row], plain(model, line), atol=1e-4, rtol=0)


def test_a_token_that_was_run_ahead_costs_no_pass_and_another_token_costs_one(passes):
    model, shapes = passes
    decoder, root = begun(model)
    decoder.feed([root.then(TURNS[0])], [REPLIES])
    shapes.clear()
    decoder.branch(np.array([0, 0]), np.array([7, 7]))
    decoder.branch(np.array([0, 1]), np.array([8, 9]))
    assert shapes == []
    decoder.branch(np.array([0, 1]), np.array([4, 30]))
    assert shapes == [(2, 1)]


def test_slots_are_free_again_when_no_context_needs_them(embedded):
    model, _ = embedded
    decoder, root = begun(model)
    decoder._front = []
    free = len(decoder._reader._store._free)
    for _ in range(3):
        decoder.feed([root.then(turn) for turn in TURNS], [REPLIES] * 3)
        kept = root.then(TURNS[0]).then((30,))
        decoder.remember(kept, 0)
        assert len(decoder._reader._store._free) == free - sum(map(len, TURNS)) - 3 * 3
        decoder.branch(np.array([0]), np.array([30]))
        assert len(decoder._reader._store._free) == free - len(TURNS[0]) - 1
        del kept
        decoder._front = []
        assert len(decoder._reader._store._free) == free


def test_what_several_contexts_begin_with_is_read_once_and_what_one_has_alone_is_not_cut(passes):
    model, shapes = passes
    decoder, root = KeptDecoder(model), Context(RULES)
    deeper = root.then(TURNS[0])
    lines = [deeper.then(TURNS[1]), deeper.then(TURNS[2]), root.then(TURNS[1])]
    logits = decoder.feed(lines)
    assert [width for _, width in shapes[:2]] == [len(RULES), len(TURNS[0])]
    assert sum(rows for rows, _ in shapes[2:]) == 3
    for row, line in enumerate(lines):
        torch.testing.assert_close(logits[row], plain(model, line.ids), atol=1e-4, rtol=0)
    shapes.clear()
    KeptDecoder(model).feed([Context(RULES).then(TURNS[0]).then(TURNS[1])])
    assert shapes == [(1, len(RULES) + len(TURNS[0]) + len(TURNS[1]))]


def test_what_another_decoder_read_is_read_again(embedded, new_model):
    first, root = begun(new_model())
    assert root.memory.of is first
    logits = KeptDecoder(embedded[0]).feed([root.then(TURNS[0])])
    torch.testing.assert_close(logits[0], plain(embedded[0], RULES + TURNS[0]), atol=1e-4, rtol=0)


def test_more_tokens_than_the_store_began_with_are_kept_as_they_were(embedded):
    model, _ = embedded
    decoder, root = begun(model)
    rng = np.random.default_rng(0)
    chunks = [tuple(rng.integers(5, 600, 300).tolist()) for _ in range(20)]
    decoder.feed([root.then(chunk) for chunk in chunks])
    assert decoder._reader._store.size > 4_096
    contexts = [root.then(chunk).then((9,)) for chunk in chunks]
    for row, context in enumerate(contexts):
        decoder.remember(context, row)
    logits = decoder.feed(contexts)
    for row in (0, 7, 19):
        torch.testing.assert_close(logits[row], plain(model, (*RULES, *chunks[row], 9)), atol=1e-4, rtol=0)


@pytest.mark.parametrize("entries", [1, 2_000, 20_000])
def test_a_pass_is_bounded_and_its_bound_changes_nothing(passes, monkeypatch, entries):
    model, shapes = passes
    contexts = [Context(RULES + tuple(range(10, 10 + n))) for n in range(40)]
    expected = KeptDecoder(model).feed(contexts)
    shapes.clear()
    monkeypatch.setattr("equipoise.engines.reader.PASS_SEEN", entries)
    torch.testing.assert_close(KeptDecoder(model).feed(contexts), expected, atol=1e-4, rtol=0)
    assert all(rows == 1 or rows * width * width <= entries for rows, width in shapes)
    assert len(shapes) > 3
