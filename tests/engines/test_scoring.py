"""Many replies scored together have the probabilities that plain forward passes give one by one."""

import numpy as np
import pytest

from equipoise.engines import scoring
from equipoise.engines.engine import Context
from equipoise.engines.plain_scoring import token_log_probs
from equipoise.engines.token_trie import ROOT, Packing, TokenTrie
from equipoise.games.first_rounds import FirstRounds
from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.games.prisoners_dilemma import DOMAIN as DILEMMA
from equipoise.games.text import observations
from equipoise.metrics import information_states
from equipoise.policies.language_model import LanguageModelPolicy, Sampling
from equipoise.policies.prompts import prompts

TWO_HANDS, ROUNDS = KuhnPoker(hands=2), DILEMMA.make(rounds=3)
STATES = {game: information_states(game) for game in (TWO_HANDS, ROUNDS)}


def plain(policy, game, states):
    """Log-probability of every legal reply, each after its own prompt in its own row."""
    rows = [
        (policy.transcript(game, seen, seat, legal), policy.chat.reply(game.action_text(action)))
        for seat, seen, legal in states
        for action in legal
    ]
    return [row.sum() for row in token_log_probs(policy.engine.model, rows, policy.sampling.temperature)]


def spelled(policy, game, seen, seat, legal):
    """The tokens of a transcript, observation by observation."""
    texts, actions = observations(game, seen, seat, legal, "terse")
    ids = policy.rules(game) + policy.chat.observation(texts[0])
    for action, text in zip(actions, texts[1:], strict=True):
        ids += policy.chat.reply(game.action_text(action)) + policy.chat.after_reply + policy.chat.observation(text)
    return ids


def logs(masses):
    return np.log([p for row in masses for p in row.values()])


@pytest.mark.parametrize("temperature", [1.0, 1.7])
@pytest.mark.parametrize("game", [TWO_HANDS, ROUNDS], ids=["two hands", "dilemma"])
def test_scores_are_those_of_plain_forward_passes(embedded, game, temperature):
    policy = LanguageModelPolicy("agent", *embedded, Sampling(temperature))
    states = STATES[game][::3]
    masses = policy.action_probabilities(game, states)
    assert [tuple(row) for row in masses] == [legal for _, _, legal in states]
    np.testing.assert_allclose(logs(masses), plain(policy, game, states), atol=1e-4)


@pytest.mark.parametrize(
    ("pack", "tokens", "slots"), [(1, 3, 50), (7, 20, 200), (40, 100, 1_000), (5_000, 9_999, 99_999)]
)
def test_scores_do_not_depend_on_how_the_trie_is_cut(random_model, tokenizer, monkeypatch, pack, tokens, slots):
    policy = LanguageModelPolicy("agent", random_model, tokenizer)
    states = [s for s in information_states(FirstRounds(TWO_HANDS, 1))]
    expected = plain(policy, TWO_HANDS, states)
    for name, value in (("PACK_TOKENS", pack), ("PASS_TOKENS", tokens), ("PASS_SLOTS", slots)):
        monkeypatch.setattr(scoring, name, value)
    np.testing.assert_allclose(logs(policy.action_probabilities(TWO_HANDS, states)), expected, atol=1e-4)


@pytest.mark.parametrize("architecture", ["qwen3", "gemma3", "qwen3_5"])
def test_every_architecture_is_scored_as_by_plain_passes(new_model, tokenizer, architecture):
    policy = LanguageModelPolicy("agent", new_model(architecture), tokenizer)
    states = information_states(KuhnPoker())
    masses = policy.action_probabilities(KuhnPoker(), states)
    np.testing.assert_allclose(logs(masses), plain(policy, KuhnPoker(), states), atol=1e-4)


def test_prompts_of_the_trie_are_the_transcripts_of_the_policy(embedded):
    policy = LanguageModelPolicy("agent", *embedded)
    for game, states in STATES.items():
        trie = TokenTrie()
        contexts = prompts(game, policy.chat, policy.rules(game), states)
        for context, (seat, seen, legal) in zip(contexts, states, strict=True):
            ids, node = [], trie.node_of(context)
            while node != ROOT:
                ids.append(trie.tokens[node])
                node = trie.parents[node]
            assert tuple(reversed(ids)) == context.ids == spelled(policy, game, seen, seat, legal)


def test_both_seats_of_a_symmetric_game_share_their_prompts_and_every_prefix_is_fed_once(embedded, monkeypatch):
    policy = LanguageModelPolicy("agent", *embedded)
    states = STATES[ROUNDS]
    trie = TokenTrie()
    nodes = [trie.node_of(context) for context in prompts(ROUNDS, policy.chat, policy.rules(ROUNDS), states)]
    assert len(set(nodes)) == len(states) / 2
    assert len(trie) < sum(len(policy.transcript(ROUNDS, seen, seat, legal)) for seat, seen, legal in states) / 4
    fed = []
    run = scoring._Passes._run

    def counted(self, group, source):
        fed.extend(node for p in group for node in self._packing.order[slice(*self._packing.starts[p : p + 2])])
        return run(self, group, source)

    monkeypatch.setattr(scoring._Passes, "_run", counted)
    policy.action_probabilities(ROUNDS, states)
    assert len(fed) == len(set(fed)) >= len(trie)


def test_score_takes_any_prompts_replies_of_one_token_and_repeats(embedded):
    policy = LanguageModelPolicy("agent", *embedded)
    rng = np.random.default_rng(0)
    asked = [Context(tuple(int(t) for t in rng.integers(5, 300, size=n))) for n in (1, 4, 4, 30)]
    asked += [asked[1].then((7, 8)), Context((*asked[1].ids, 7, 8))]
    replies = [[("a", (9,)), ("b", (9, 10)), ("c", (7, 8, 9))] for _ in asked] + [[]]
    masses = policy.score([*asked, asked[0]], replies)
    rows = [(prompt.ids, ids) for prompt, options in zip(asked, replies, strict=False) for _, ids in options]
    expected = [row.sum() for row in token_log_probs(policy.engine.model, rows)]
    np.testing.assert_allclose(logs(masses[:-1]), expected, atol=1e-4)
    assert masses[-1] == {}
    assert policy.score([], []) == []


@pytest.mark.parametrize("limit", [1, 2, 5, 17, 100])
def test_packs_are_connected_no_larger_than_the_limit_and_hang_from_earlier_packs(limit):
    rng = np.random.default_rng(limit)
    trie = TokenTrie()
    ends = [trie.leaf(ROOT, tuple(int(t) for t in rng.integers(0, 3, size=12))) for _ in range(60)]
    packing = Packing.of(trie, np.array(ends), limit)
    sizes = np.diff(packing.starts)
    assert sizes.sum() == len(trie)
    assert 1 <= sizes.min() <= sizes.max() <= limit
    for node, parent in enumerate(packing.parents):
        above = parent >= 0 and packing.pack[parent]
        assert parent < 0 or (
            packing.depths[node] == packing.depths[parent] + 1 and parent < node < packing.ends[parent]
        )
        if node in packing.heads:
            assert parent < 0 or above < packing.pack[node]
        else:
            assert above == packing.pack[node]
    assert packing.asked.sum() == len(set(ends))
    for pack, count in enumerate(packing.asked):
        nodes = packing.order[packing.starts[pack] : packing.starts[pack + 1]]
        wanted = np.isin(nodes, packing.number[ends])
        assert wanted[len(nodes) - count :].all()
        assert not wanted[: len(nodes) - count].any()


def test_a_policy_that_reasons_first_has_no_exact_scores(embedded):
    policy = LanguageModelPolicy("agent", *embedded, Sampling(reasoning="brief"))
    with pytest.raises(ValueError, match="exact action probabilities need replies that are the action alone"):
        policy.action_probabilities(TWO_HANDS, STATES[TWO_HANDS])
