"""Exact policy gradients: every information state is scored, and nothing is sampled.

Where a game is small, its terms can be enumerated (`exact_objective`): the gradient of J is a sum, over information
states and legal actions, of a weight times grad log-probability of the action's words. So an experience is one row for
each of them, whose tokens all have that weight, and the step after it is the step that infinitely many rollouts would
give on average, without their noise.

What is summed is the policy's canonical words: another spelling that the parser would accept counts as a fault, and a
later prompt holds an action's words also where a fault was replaced by it. Under `forfeit` and `random_legal` sampled
credits estimate this gradient; under `resample` and `constrained` they leave out how the faults themselves change what
is played instead, which is of the order of the fault rate, and this gradient has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from equipoise.core import Game
from equipoise.engines.engine import Ids
from equipoise.errors import UserError
from equipoise.games import Profile
from equipoise.games.free_text import text_limit
from equipoise.metrics.exact import information_states
from equipoise.objectives.rules import Expectation
from equipoise.objectives.sepo import CreditWeights
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.seeds import Seed, Use
from equipoise.training.adversaries import BEST_RESPONSE, LEARNED, ExactAdversary
from equipoise.training.exact_objective import ExactObjective, Slope
from equipoise.training.experience import PlaySettings
from equipoise.training.kept_pass import KeptPass, kept_pass
from equipoise.training.play import Experience, Play, trained_model
from equipoise.training.rows import Row, merged
from equipoise.training.scored_words import ScoredWords, StatePrompts
from equipoise.training.settings import NOTHING, PASS_TOKENS, Fading


@dataclass(frozen=True)
class Bonuses:
    """What is added to the objective.

    Attributes:
        entropy: Coefficient of what the sampled bonus expects: the entropy of the tokens of replies that name a legal
            action, by how often they are said.
        legal: Coefficient of the mean over information states of the log-probability that a reply names a legal action.
        legal_entropy: Coefficient of the mean over information states of the entropy of the policy over legal actions,
            faults divided out.
    """

    entropy: Fading = NOTHING
    legal: float = 0.0
    legal_entropy: Fading = NOTHING


def check_enumerable(game: Game, settings: PlaySettings) -> None:
    """Nothing where play can be enumerated, whatever the size of the game.

    Raises:
        UserError: For a game with talk, or the learned adversary.
    """
    if text_limit(game.actions):
        raise UserError(
            f"got rl.gradient = 'exact', and players of {game.name} talk: texts cannot be listed; use 'sampled'"
        )
    if LEARNED in settings.adversaries:
        raise UserError(
            f"got rl.gradient = 'exact' with {LEARNED!r} in play.adversaries, which learns from sampled play; allowed: "
            f"'pool', {BEST_RESPONSE!r}"
        )


class ExactPlay(Play):
    """SEPO's pools against the current policy, all of it enumerated."""

    def __init__(
        self,
        game: Game,
        profile: Profile,
        settings: PlaySettings,
        weights: CreditWeights,
        expectation: Expectation,
        bonuses: Bonuses | None = None,
        pass_tokens: int = PASS_TOKENS,
    ) -> None:
        """Enumerates a game's pools.

        Args:
            game: What is played.
            profile: Whose pools and hazards.
            settings: Opponents, seats and fault rule.
            weights: Of the terms of J.
            expectation: What the credit rule estimates.
            bonuses: What is added to J; nothing by default.
            pass_tokens: Most tokens of a pass that scores words and is kept until they are trained.

        Raises:
            UserError: For a game that is too large or has talk, and for the learned adversary.
        """
        check_enumerable(game, settings)
        self.game, self.settings, self.bonuses = game, settings, bonuses or Bonuses()
        self.pass_tokens = pass_tokens
        self.objective = ExactObjective(game, profile, settings, weights, expectation)
        made = BEST_RESPONSE in settings.adversaries
        self.adversary = ExactAdversary(game, settings.rounds) if made else None
        self._prompts = StatePrompts(game)

    def collect(self, policy: LanguageModelPolicy, seed: Seed, step: int) -> Experience:
        """One step's weighted words; nothing is random."""
        words, objective, adversary = self._words(policy), self.objective, self.adversary
        due = adversary is not None and (step % self.settings.refresh == 0 or not adversary.ready)
        solved = information_states(adversary.tree) if adversary is not None and due else []
        words.tokens([*objective.questions, *solved])  # in one pass; what the adversary leads to beside it is a second
        if adversary is not None and due:
            adversary.refresh(words, seed.at(Use.ADVERSARY))
        made = [] if adversary is None else [adversary.opponent()]
        slope = objective.slope(made, frozenset(opponent.name for opponent in made), words.log_probs)
        told = {} if adversary is None else adversary.metrics()
        return self._experience(policy, words, slope, step, told)

    def state(self) -> dict[str, Any]:
        """The adversary in use, as JSON."""
        return {} if self.adversary is None else {BEST_RESPONSE: self.adversary.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes up the adversary of a `state`."""
        if self.adversary is not None:
            self.adversary.restore(state[BEST_RESPONSE])

    def _words(self, policy: LanguageModelPolicy) -> ScoredWords:
        """The policy's words, scored by a pass to train from where the engine's probabilities are the trainer's own."""

        def keep(rows: Sequence[tuple[Ids, Ids]]) -> KeptPass | None:
            if not policy.engine.can.as_trained or policy.adapter:
                return None
            return kept_pass(trained_model(policy), rows, policy.sampling.temperature, self.pass_tokens)

        return ScoredWords(policy, self._prompts, keep)

    def _experience(
        self, policy: LanguageModelPolicy, scores: ScoredWords, slope: Slope, step: int, told: Mapping[str, float]
    ) -> Experience:
        """A row for each legal action of each state, once where two seats read the same."""
        words = slope.words
        shared, entropy = slope.pulls + self._pulls(slope, step), self.bonuses.entropy.at(step)
        said = slope.visits[words.owner] * words.probabilities
        rows, weights, counts = [], [], []
        asked, tokens = self._prompts.read(policy, slope.questions), scores.tokens(slope.questions)
        for first, one, known in zip(words.firsts.tolist(), asked, tokens, strict=True):
            for place, (reply, each) in enumerate(zip(one.replies, known, strict=True), start=first):
                rows.append(Row(one.prompt.ids, reply, (0,) * len(reply), tuple(each.tolist())))
                bonus = np.where(said[place] > 0, -entropy * said[place] * each, 0.0)
                weights.append(shared[place] + bonus)
                counts.append(said[place])
        found = Experience(*merged(rows, weights, counts), 1, {**slope.metrics, **told})
        kept = scores.kept
        covered = kept is not None and kept.holds(row.prompt + row.completion for row in found.rows)
        return replace(found, kept=kept) if covered else found

    def _pulls(self, slope: Slope, step: int) -> np.ndarray:
        """What the bonuses on the policy over legal actions add to the weight of each grad log-probability, [W]."""
        words, states = slope.words, len(slope.questions)
        divided = words.divided
        surprise = -np.log(np.where(divided > 0, divided, 1.0))
        entropy = words.summed(divided * surprise)
        coefficient = self.bonuses.legal_entropy.at(step)
        pulls: np.ndarray = divided * (self.bonuses.legal + coefficient * (surprise - entropy)) / states
        return pulls
