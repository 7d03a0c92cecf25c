"""The decoder that keeps keys and values: what it runs ahead, what it shares, and what it frees."""

import numpy as np
import pytest
import torch

from equipoise.policies.decoding import Context
from equipoise.policies.decoding_ahead import MOST_AHEAD, tree_batch, tree_of
from equipoise.policies.decoding_kept import KeptDecoder

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


def after_rules(model):
    decoder = KeptDecoder(model)
    decoder.feed([Context(())], [RULES[:-1]])
    return decoder, decoder.context(RULES, 0, 1)


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
    decoder, root = after_rules(model)
    likely = [REPLIES, (), ((11, 4),)]
    logits = decoder.feed([root] * 3, TURNS, likely)
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
    decoder, root = after_rules(model)
    decoder.feed([root], TURNS[:1], [REPLIES])
    decoder.branch(np.array([0, 0]), np.array([7, 7]))
    decoder.branch(np.array([0, 1]), np.array([8, 9]))
    lines = [RULES + TURNS[0] + reply for reply in REPLIES]
    contexts = [decoder.context(line, row, 1) for row, line in enumerate(lines)]
    logits = decoder.feed([*contexts, contexts[0]], [TURNS[1], TURNS[1], TURNS[2]])
    for row, line in enumerate([lines[0] + TURNS[1], lines[1] + TURNS[1], lines[0] + TURNS[2]]):
        torch.testing.assert_close(logits[row], plain(model, line), atol=1e-4, rtol=0)


def test_a_token_that_was_run_ahead_costs_no_pass_and_another_token_costs_one(passes):
    model, shapes = passes
    decoder, root = after_rules(model)
    decoder.feed([root], TURNS[:1], [REPLIES])
    shapes.clear()
    decoder.branch(np.array([0, 0]), np.array([7, 7]))
    decoder.branch(np.array([0, 1]), np.array([8, 9]))
    assert shapes == []
    decoder.branch(np.array([0, 1]), np.array([4, 30]))
    assert shapes == [(2, 1)]


def test_slots_are_free_again_when_no_context_needs_them(embedded):
    model, _ = embedded
    decoder, root = after_rules(model)
    free = len(decoder._store._free)
    for _ in range(3):
        decoder.feed([root] * 3, TURNS, [REPLIES] * 3)
        kept = decoder.context(RULES + TURNS[0], 0, 0)
        assert len(decoder._store._free) == free - 3 - sum(map(len, TURNS)) - 3 * 3
        decoder.branch(np.array([0]), np.array([30]))
        assert len(decoder._store._free) == free - 1 - len(TURNS[0]) - 1
        del kept
        decoder._front = []
        assert len(decoder._store._free) == free


def test_more_tokens_than_the_store_began_with_are_kept_as_they_were(embedded):
    model, _ = embedded
    decoder, root = after_rules(model)
    rng = np.random.default_rng(0)
    chunks = [tuple(rng.integers(5, 600, 300).tolist()) for _ in range(20)]
    decoder.feed([root] * 20, chunks)
    assert decoder._store.size > 4_096
    contexts = [decoder.context(RULES + chunk, row, 0) for row, chunk in enumerate(chunks)]
    logits = decoder.feed(contexts, [(9,)] * 20)
    for row in (0, 7, 19):
        torch.testing.assert_close(logits[row], plain(model, (*RULES, *chunks[row], 9)), atol=1e-4, rtol=0)
