"""Decisions per second of the arena beside two ways of calling `model.generate`.

Three ways to play the same matches with the same model, the agent in both seats against the scripted `loose` player:

    arena      identical contexts once, keys and values kept between turns, all episodes in lock-step
    batched    one left-padded `generate` call per tick over the fresh prompts of all episodes
    one by one one episode at a time, a fresh prompt and a `generate` call of batch 1 for every decision

Every measurement runs in a process of its own. On one torch thread it is timed in CPU seconds, which on an idle core
are wall seconds; on as many threads as the machine has cores, in wall seconds. The three ways alternate, and a ratio
compares neighbours in time.
"""

from __future__ import annotations

import argparse
import gc
import os
import time
from collections.abc import Sequence
from typing import Any

import torch
from common import WIDTH, in_child, machine, peak_mib, prepare_children, spread, store

from equipoise.arena import against, rollout
from equipoise.core import Game, Reply
from equipoise.games import domain, make_game
from equipoise.games.text import observations, render_rules
from equipoise.models.load import load
from equipoise.policies import Policy, ScriptedPolicy, Session
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.policies.policy import Request
from equipoise.seeds import Seed

OPPONENT = "loose"
TARGETS = {"one by one": {1: 100, 6: 20}, "batched": {1: 3, 6: 3}}
SIZES = (32, 256, 1024, 4096)
COMPARED = {"arena": {1: 4096, 6: 1024}, "batched": {1: 512, 6: 128}, "one by one": {1: 96, 6: 16}}
"""Episodes per measurement: what each way does in a second or more; `one by one` does not depend on them."""
ALIVE = {1: 4096, 6: 1024}
"""The most episodes alive at once, `max_live`."""
LARGEST = {"arena": 4096, "batched": 1024, "one by one": 0}
"""The most episodes a way is asked for when its growth is measured."""


class GeneratePolicy(Policy):
    """Plays by `model.generate` on fresh prompts, all requests of a tick in one left-padded call."""

    name = "agent"

    def __init__(self, policy: LanguageModelPolicy) -> None:
        self.policy = policy
        policy.tokenizer.padding_side = "left"

    def session(self, game: Game, seed: Seed) -> Session:
        torch.manual_seed(seed.integer())
        return _GenerateSession(self.policy, game)


class _GenerateSession(Session):
    def __init__(self, policy: LanguageModelPolicy, game: Game) -> None:
        self.policy, self.game = policy, game

    @torch.inference_mode()
    def replies(self, requests: Sequence[Request]) -> list[Reply]:
        policy = self.policy
        batch = policy.tokenizer.apply_chat_template(
            [self._messages(request) for request in requests],
            add_generation_prompt=True,
            padding=True,
            return_tensors="pt",
            return_dict=True,
        )
        output = policy.engine.model.generate(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            do_sample=True,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
            max_new_tokens=policy.sampling.max_new_tokens,
            eos_token_id=sorted(policy.chat.stops),
            pad_token_id=policy.tokenizer.pad_token_id,
        )
        replies = []
        for row in output[:, batch["input_ids"].shape[1] :].tolist():
            stop = next((i for i, token in enumerate(row) if token in policy.chat.stops), None)
            replies.append(Reply(policy.tokenizer.decode(row[:stop]), truncated=stop is None))
        return replies

    def _messages(self, request: Request) -> list[dict[str, str]]:
        game = self.game
        texts, actions = observations(game, request.information_state, request.seat, request.legal, "terse")
        messages = [{"role": "system", "content": render_rules(game)}, {"role": "user", "content": texts[0]}]
        for action, text in zip(actions, texts[1:], strict=True):
            messages += [
                {"role": "assistant", "content": game.action_text(action)},
                {"role": "user", "content": text},
            ]
        return messages


def measure(way: str, hands: int, episodes: int, name: str, threads: int, seed: int) -> dict[str, Any]:
    """Plays the matches one way: decisions of the agent, seconds by both clocks, and growth of peak memory in MiB."""
    torch.set_num_threads(threads)
    game, opponent = make_game("kuhn_poker", hands=hands), domain("kuhn_poker").pools.find(OPPONENT)
    own = LanguageModelPolicy("agent", *load(name))
    agent: Policy = own if way == "arena" else GeneratePolicy(own)
    policies = {"agent": agent, OPPONENT: ScriptedPolicy(opponent)}
    live = 1 if way == "one by one" else ALIVE[hands]
    warm_up = min(episodes, {"arena": 256, "batched": 32, "one by one": 4}[way])
    before = peak_mib()
    rollout(game, policies, against("agent", [OPPONENT], [None] * (warm_up // 2)), seed=1_000, max_live=live)
    gc.collect()
    start, cpu = time.perf_counter(), time.process_time()
    played = rollout(game, policies, against("agent", [OPPONENT], [None] * (episodes // 2)), seed=seed, max_live=live)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    decisions = sum(len(episode.of(episode.policies.index("agent"))) for episode in played)
    faults = sum(d.fault is not None for episode in played for d in episode.decisions)
    return {
        "way": way,
        "hands": hands,
        "episodes": episodes,
        "decisions": decisions,
        "fault_rate": faults / decisions,
        "seconds": seconds,
        "cpu_seconds": cpu,
        "rate": decisions / (cpu if threads == 1 else seconds),
        "memory_mib": peak_mib() - before,
    }


def compared(hands: int, repeats: int, name: str, threads: int) -> dict[str, Any]:
    """Rates of all ways, repeated in turn, and the arena's ratio to each of the others."""
    rates: dict[str, list[float]] = {way: [] for way in COMPARED}
    for repeat in range(repeats):
        for way, episodes in COMPARED.items():
            rates[way].append(in_child(measure, way, hands, episodes[hands], name, threads, repeat)["rate"])
    ratios = {
        way: [a / b for a, b in zip(rates["arena"], rates[way], strict=True)] for way in COMPARED if way != "arena"
    }
    return {
        "hands": hands,
        "threads": threads,
        "clock": _clock(threads),
        "episodes": {way: n[hands] for way, n in COMPARED.items()},
        "rates": rates,
        "ratios": ratios,
    }


def _clock(threads: int) -> str:
    """CPU seconds of several threads add up, so that only one thread is timed by them."""
    return "CPU" if threads == 1 else "wall"


def growth(hands: int, sizes: Sequence[int], name: str, threads: int) -> list[dict[str, Any]]:
    """One measurement per way and number of episodes."""
    return [
        in_child(measure, way, hands, episodes, name, threads, 0)
        for episodes in sizes
        for way, most in LARGEST.items()
        if episodes <= (most if hands == 1 or way == "arena" else most // 4)
    ]


def show_compared(result: dict[str, Any]) -> None:
    hands = result["hands"]
    repeats, threads = len(result["rates"]["arena"]), result["threads"]
    print(f"\n{hands}-hand Kuhn poker, {threads} threads, median [range] of {repeats} repeats in turn")
    unit = f"decisions per {result['clock']} second"
    print(f"  {'way':11}{'episodes':>9}  {unit:27}{'arena / this':20}target")
    for way, rates in result["rates"].items():
        ratio = spread(result["ratios"][way]) if way in result["ratios"] else ""
        target = f"{TARGETS[way][hands]}" if way in TARGETS else ""
        print(f"  {way:11}{result['episodes'][way]:9,}  {spread(rates):27}{ratio:20}{target:>6}")


def show_growth(hands: int, rows: Sequence[dict[str, Any]]) -> None:
    print(f"\n{hands}-hand Kuhn poker as episodes grow: decisions per CPU second (growth of memory, MiB)")
    ways = [way for way, most in LARGEST.items() if most]
    print(f"  {'episodes':>9}" + "".join(f"{way:>22}" for way in ways))
    for episodes in sorted({row["episodes"] for row in rows}):
        cells = ""
        for way in ways:
            found = [r for r in rows if r["way"] == way and r["episodes"] == episodes]
            text = f"{found[0]['rate']:,.0f} ({found[0]['memory_mib']:,.0f})" if found else "too slow, left out"
            cells += f"{text:>22}"
        print(f"  {episodes:9,}{cells}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="tiny", help="model name or folder (default: tiny)")
    parser.add_argument("--quick", action="store_true", help="2 repeats, up to 256 episodes")
    options = parser.parse_args()
    repeats, sizes = (2, SIZES[:2]) if options.quick else (5, SIZES)
    prepare_children()
    print("Arena benchmark".ljust(WIDTH - 1))
    result: dict[str, Any] = {"machine": machine(1), "targets": TARGETS, "compared": [], "growth": {}}
    for hands in (1, 6):
        for threads in sorted({1, os.cpu_count() or 1}):
            table = compared(hands, repeats, options.model, threads)
            show_compared(table)
            result["compared"].append(table)
        rows = growth(hands, sizes, options.model, 1)
        show_growth(hands, rows)
        result["growth"][str(hands)] = rows
    store("arena", result)


if __name__ == "__main__":
    main()
