import ast
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from equipoise.seeds import Seed, Use, keys, seed_of, streams, uniforms

SOURCES = [path for room in ("src", "research") for path in Path(__file__).parents[1].joinpath(room).rglob("*.py")]


def test_the_length_of_a_path_counts():
    assert np.random.default_rng([5, 2]).random() == np.random.default_rng([5, 2, 0]).random()
    paths = [(), *((part,) for part in range(3)), *product(range(3), repeat=2), *product(range(3), repeat=3)]
    draws = {Seed(5).at(*path).generator().random() for path in paths}
    assert len(draws) == len(paths)
    assert len({Seed(5).at(*path).integer() for path in paths}) == len(paths)


def test_no_two_uses_of_a_root_share_a_stream():
    draws = [tuple(Seed(root).at(use).generator().random(4)) for root in range(20) for use in Use]
    assert len(set(draws)) == 20 * len(Use)


def test_streams_of_neighbouring_places_are_uncorrelated():
    a, b = (np.concatenate([Seed(root).at(use).generator().random(50) for root in range(200)]) for use in (0, 1))
    assert abs(np.corrcoef(a, b)[0, 1]) < 4 / np.sqrt(len(a))


def test_the_largest_root_has_streams_of_its_own():
    # NumPy keeps four words for the root; of a longer one the rest would stand where a path does.
    long, short = (np.random.SeedSequence(root, spawn_key=key) for root, key in [(1 + 7 * 2**128, ()), (1, (7,))])
    assert long.generate_state(4).tolist() == short.generate_state(4).tolist()
    assert Seed(2**128 - 1).generator().random() != Seed(2**128 - 1).at(0).generator().random()


def test_a_path_may_be_taken_in_steps():
    assert Seed(1).at(2, 3) == Seed(1).at(2).at(3)
    assert seed_of(7) == Seed(7)
    assert seed_of(Seed(7).at(1)) == Seed(7, (1,))


def test_a_stream_does_not_depend_on_what_is_drawn_beside_or_before_it():
    together = streams(Seed(0), range(200))
    long = [[stream.random() for _ in range(40)] for stream in together]
    (alone,) = streams(Seed(0), [130])
    assert [alone.random() for _ in range(40)] == long[130]
    assert len({numbers[0] for numbers in long}) == 200


@pytest.mark.parametrize(("root", "path"), [(-1, ()), (2**128, ()), (0, (-1,)), (0, (2**32,))])
def test_what_would_share_another_s_stream_is_refused(root, path):
    with pytest.raises(ValueError, match="got"):
        Seed(root, path)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_generators_are_made_in_one_module_alone(path):
    made = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
    assert path.name == "seeds.py" or not made & {"default_rng", "SeedSequence", "RandomState"}


def test_the_numbers_of_a_key_are_those_of_splitmix64():
    first = (0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F)  # of the state 0, as published
    found = [uniforms(np.zeros(1, dtype=np.uint64), place)[0] for place in range(3)]
    assert found == [(word >> 11) / 2**53 for word in first]


def test_no_two_combinations_of_numbers_share_a_key():
    a, b, c = (each.ravel() for each in np.meshgrid(range(60), range(40), range(30)))
    found = keys(Seed(3), a, b, c)
    assert len(np.unique(found)) == len(found) == 72_000
    assert not set(found.tolist()) & set(keys(Seed(4), a, b, c).tolist())
    assert not set(found.tolist()) & set(keys(Seed(3), a, b).tolist())
    np.testing.assert_array_equal(keys(Seed(3), a[7:9], b[7:9], c[7:9]), found[7:9])


def test_the_numbers_of_keys_are_even_and_neighbours_are_uncorrelated():
    episodes = np.arange(20_000)
    drawn = np.stack([uniforms(keys(Seed(1), episodes, episodes * 0 + n // 2), n % 2) for n in range(4)])
    assert 0.0 <= drawn.min() < drawn.max() < 1.0
    counts = np.array([np.histogram(row, 50, (0, 1))[0] for row in drawn])
    statistic = ((counts - 400) ** 2 / 400).sum(axis=1)
    assert (abs(statistic - 49) < 5 * np.sqrt(2 * 49)).all()
    correlations = np.corrcoef(np.vstack([drawn, np.roll(drawn, 1, axis=1)])) - np.eye(8)
    assert abs(correlations).max() < 5 / np.sqrt(20_000)
