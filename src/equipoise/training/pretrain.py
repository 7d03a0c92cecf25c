"""Rebuilds the embedded model from generated transcripts of mixed-skill players (`make tiny`)."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from equipoise.core import Episode, Game, Opponent
from equipoise.games import make_game
from equipoise.games.kuhn_poker import opponents as kuhn
from equipoise.games.text import observations, render_rules
from equipoise.models import tiny
from equipoise.policies.chat import ChatFormat
from equipoise.training.demonstrations import demonstrate, demonstration_rows
from equipoise.training.rows import Row
from equipoise.training.sft import SftSettings, all_labels, fit

EPISODES = {1: 3_000, 6: 3_000}
SETTINGS = SftSettings(steps=300, batch_size=64, learning_rate=2e-3, seed=0)


def mixed_skill() -> list[tuple[Opponent, float]]:
    """The players the base model has read: half of them play at random."""
    styles = {"uniform": (kuhn.UNIFORM, 0.5), "tight": (kuhn.TIGHT, 0.25), "loose": (kuhn.LOOSE, 0.25)}
    return [(Opponent(name, style, style.mixes, "pre-training mixture"), w) for name, (style, w) in styles.items()]


def transcripts(seed: int) -> list[tuple[Game, list[Episode]]]:
    """Episodes of every game length the model must speak."""
    games = [make_game("kuhn_poker", hands=hands) for hands in EPISODES]
    return [
        (game, demonstrate(game, mixed_skill(), EPISODES[game.num_rounds], [seed, game.num_rounds])) for game in games
    ]


def build(out: Path, seed: int = 0) -> tuple[LlamaForCausalLM, PreTrainedTokenizerFast]:
    """Trains tokenizer and model and saves both to `out` (safetensors)."""
    played = transcripts(seed)
    texts: list[str] = []
    for game, episodes in played:
        for episode in episodes[:600]:
            for seat in range(2):
                if episode.of(seat):
                    last = episode.of(seat)[-1]
                    seen, said = observations(game, last.information_state, seat, last.legal)
                    texts += [render_rules(game), *seen, *(game.action_text(a) for a in said)]
    tokenizer = tiny.train_tokenizer(texts)
    model = tiny.new_model(tokenizer, seed)
    chat = ChatFormat.of(tokenizer)
    rows: list[Row] = [row for game, episodes in played for row in demonstration_rows(game, episodes, chat)]
    order = np.random.default_rng([seed, 2]).permutation(len(rows))
    with tempfile.TemporaryDirectory() as logs:
        fit(model, [rows[i] for i in order], SETTINGS, Path(logs), labels=all_labels)
    out.mkdir(parents=True, exist_ok=True)
    model.config.use_cache = True  # the trainer switches it off
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    return model, tokenizer


if __name__ == "__main__":
    build(tiny.FOLDER)
