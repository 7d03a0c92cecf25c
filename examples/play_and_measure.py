"""Plays the embedded model against scripts on common deals and reads figures with intervals from the episodes."""

from __future__ import annotations

from equipoise.arena import against, rollout
from equipoise.games import domain, make_game
from equipoise.games.text import render_event
from equipoise.metrics import fault_rate, paired_difference, payoff, payoff_scores, pool_exploitability, pool_gap
from equipoise.models.load import load
from equipoise.policies import Policy, ScriptedPolicy
from equipoise.policies.language_model import LanguageModelPolicy

DEALS = 200


def main() -> None:
    """Prints one episode in words, then payoff, gaps, pool exploitability, faults and a paired comparison."""
    game = make_game("kuhn_poker")
    pools = domain("kuhn_poker").pools
    scripts: dict[str, Policy] = {o.name: ScriptedPolicy(o) for o in (*pools.train, *pools.exploiter)}
    tiny = LanguageModelPolicy("tiny", *load("tiny"))

    opponents = [o.name for o in pools.exploiter]
    matches = against("tiny", opponents, [None] * DEALS)  # both seats, the same cards against every opponent
    episodes = rollout(game, {**scripts, "tiny": tiny}, matches, seed=7)

    first = episodes[0]
    for decision in first.decisions:
        seen = " ".join(render_event(game, event, decision.seat) for event in decision.information_state)
        print(f"{first.policies[decision.seat]} reads: {seen}  It plays: {decision.action or decision.fault}")
    print(f"paid: {dict(zip(first.policies, first.returns, strict=True))}\n")

    print(f"payoff                 {payoff(episodes, 'tiny')} {game.unit}")
    for name, gap in pool_gap(episodes, "tiny").items():
        print(f"gap, theirs - own      {gap} against {name}")
    print(f"pool exploitability    {pool_exploitability(episodes, 'tiny')}")
    print(f"fault rate             {fault_rate(episodes, 'tiny')}")

    same = against("nash", opponents, [None] * DEALS)
    rivals = rollout(game, scripts, same, seed=7)
    gain = paired_difference(payoff_scores(rivals, "nash"), payoff_scores(episodes, "tiny"), [m.deal for m in same])
    print(f"nash earns more by     {gain} on the same {gain.n} deals ({gain.method}, {gain.level:.0%})")


if __name__ == "__main__":
    main()
