"""Trees hold each distinct beginning once, and the weights of all sequences."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.engines.token_tree import trees

SEQUENCES = st.lists(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from([0.0, 0.0, 1.0, -2.0])), min_size=1, max_size=8),
    min_size=1,
    max_size=10,
)


def grown(sequences, most=10**6, wide=np.inf):
    """Trees of sequences of (token, weight)."""
    tokens = [tuple(token for token, _ in sequence) for sequence in sequences]
    return trees(tokens, [np.array([weight for _, weight in sequence]) for sequence in sequences], most, wide)


def paths(tree):
    """What a node is, from the beginning, for each node: the tokens of all nodes that it comes after, and its own."""
    places = np.arange(len(tree))
    seen = [np.flatnonzero((places <= node) & (node < tree.ends)) for node in places]
    assert [len(line) - 1 for line in seen] == tree.depths.tolist()
    return [tuple(tree.tokens[line].tolist()) for line in seen]


def weighed(found):
    """The weight of every token after its beginning, over some trees."""
    sums = {}
    for tree in found:
        lines = paths(tree)
        for node, token, weight in zip(tree.at, tree.targets, tree.weights, strict=True):
            key = (*lines[node], int(token))
            sums[key] = sums.get(key, 0.0) + weight
    return sums


def asked(sequences):
    """The same of the sequences themselves."""
    sums = {}
    for sequence in sequences:
        tokens = tuple(token for token, _ in sequence)
        for i, (_, weight) in enumerate(sequence):
            if i and weight:
                sums[tokens[: i + 1]] = sums.get(tokens[: i + 1], 0.0) + weight
    return sums


@settings(max_examples=200, deadline=None, derandomize=True)
@given(SEQUENCES, st.integers(1, 20), st.sampled_from([3.0, 10.0, np.inf]))
def test_trees_hold_the_weight_of_every_token_after_its_beginning_and_nothing_else(sequences, most, wide):
    assert weighed(grown(sequences, most, wide)) == asked(sequences)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(SEQUENCES)
def test_one_tree_has_every_beginning_of_a_weighed_token_once(sequences):
    (tree,) = grown(sequences)
    needed = {key[:i] for key in asked(sequences) for i in range(1, len(key))}
    assert sorted(paths(tree)) == sorted(needed or {(sequences[0][0][0],)})


@settings(max_examples=200, deadline=None, derandomize=True)
@given(SEQUENCES, st.integers(1, 20), st.sampled_from([3.0, np.inf]))
def test_a_tree_has_at_most_so_many_nodes_or_is_one_sequence(sequences, most, wide):
    for tree in grown(sequences, most, wide):
        assert len(set(paths(tree))) == len(tree)
        assert len(tree) <= most or len(tree) == tree.depths.max() + 1
        assert (np.diff(tree.at) >= 0).all()


def test_sequences_are_cut_where_they_share_least():
    alike = [[(1, 0.0), (2, 0.0), (3, 0.0), (4 + i, 0.0), (9, 1.0)] for i in range(2)]
    apart = [[(1, 0.0), (7, 0.0), (8, 0.0), (4 + i, 0.0), (9, 1.0)] for i in range(2)]
    assert [len(tree) for tree in grown([apart[0], alike[0], apart[1], alike[1]], most=5)] == [5, 5]


@pytest.mark.parametrize(("wide", "rows"), [(np.inf, 1), (250.0, 2), (1.0, 8)])
def test_the_dearer_attention_is_the_shorter_rows_are(wide, rows):
    sequences = [[(1, 0.0), *((10 * branch + i, 0.0) for i in range(5)), (2, 1.0)] for branch in range(1, 9)]
    found = grown(sequences, wide=wide)
    assert len(found) == rows
    assert sum(len(tree) for tree in found) == 8 * 5 + rows


def test_the_last_weighed_token_and_what_comes_after_it_is_not_run():
    (tree,) = grown([[(1, 0.0), (2, 1.0), (3, 0.0), (4, 1.0), (5, 0.0)], [(1, 0.0), (9, 0.0)]])
    assert tree.tokens.tolist() == [1, 2, 3]
    assert (tree.at.tolist(), tree.targets.tolist()) == ([0, 2], [2, 4])


def test_where_nothing_weighs_one_token_is_left():
    (tree,) = grown([[(5, 3.0), (6, 0.0)], [(7, 0.0)]])
    assert (tree.tokens.tolist(), tree.ends.tolist(), len(tree.at)) == ([5], [1], 0)
