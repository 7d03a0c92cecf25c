"""Both papers' claims on a model whose prior is not ours: SmolLM2-135M-Instruct, in as much as two CPU cores allow.

The two studies are those of `sepo` and `alignment` with fewer arms, episodes and steps. Both imitate scripted players
first; in self-play naive learning also starts from the pretrained model as it is, to see what it makes of its prior.
"""

from __future__ import annotations

from equipoise.lab.alignment import MeetingMeasure
from equipoise.lab.sepo import AuditMeasure
from equipoise.lab.study import Arm, Study, hypothesis

_SCORES = "{arm} scores {more} on the SEPO index than {minus}"
_NOTE = "Trained rows: {central} over training seeds. The pretrained model is one: its intervals are over deals."

SEPO_SMOLLM2 = Study(
    name="sepo_smollm2",
    title="SEPO on a pretrained model: SmolLM2-135M-Instruct",
    games=("prisoners_dilemma", "commons"),
    recipes={game: f"smollm2/{game}" for game in ("prisoners_dilemma", "commons")},
    arms={
        "base": Arm("Pretrained", kind="start"),
        "sft": Arm("SFT", 3, overrides=("rl.steps=0",)),
        "own_pool": Arm("SEPO, own pool", 3, starts_from="sft"),
    },
    measure=AuditMeasure(deals=12, learned_episodes=0, exact_rounds=1),
    hypotheses=(
        hypothesis("SEPO above SFT", "own_pool", "sft", "sepo_index", _SCORES, "above"),
        hypothesis("SEPO above pretrained", "own_pool", "base", "sepo_index", _SCORES, "above"),
    ),
    compared=(("own_pool", "sft"), ("own_pool", "base"), ("sft", "base")),
    metrics=("sepo_index", "payoff", "held_out_exploitability", "externality", "fault_rate"),
    notes=(_NOTE.format(central="the mean"),),
    quick=("rl.steps=1", "sft.steps=1", "demonstrations.episodes=40", "play.rollouts=2"),
    quick_measure=AuditMeasure(deals=2, learned_episodes=0, exact_rounds=1),
)
"""The study of SEPO; `equipoise reproduce sepo_smollm2` runs it."""

_NAIVE = 'objective.rule="naive"'
_EARNS = "{arm} earns {more} in self-play than {minus}"
_COOPERATES = "{arm} cooperates {more} with itself than {minus}"
_TAKES = "greedy takes {more} from {arm} than from {minus}"

ALIGNMENT_SMOLLM2 = Study(
    name="alignment_smollm2",
    title="Self-play of a pretrained model: SmolLM2-135M-Instruct",
    games=("prisoners_dilemma",),
    recipes={"prisoners_dilemma": "smollm2/alignment"},
    arms={
        "start": Arm("Pretrained", kind="start"),
        "prior_naive": Arm("Naive, from it", 3, overrides=(_NAIVE, "demonstrations.experts={}")),
        "sft": Arm("SFT", 3, overrides=("rl.steps=0",)),
        "naive": Arm("Naive", 3, overrides=(_NAIVE,), starts_from="sft"),
        "alignment": Arm("Advantage alignment", 3, starts_from="sft"),
    },
    measure=MeetingMeasure(matches=32, probe_steps={}),
    hypotheses=(
        hypothesis("naive turns the prior greedy", "prior_naive", "start", "cooperation", _COOPERATES, "below"),
        hypothesis("naive turns imitation greedy", "naive", "sft", "cooperation", _COOPERATES, "below"),
        hypothesis("alignment over naive, self-play", "alignment", "naive", "self_play", _EARNS, "above"),
        hypothesis("greed takes less from alignment", "alignment", "sft", "greedy_takes", _TAKES, "below"),
    ),
    compared=(("prior_naive", "start"), ("naive", "sft"), ("alignment", "naive"), ("alignment", "sft")),
    metrics=("self_play", "cooperation", "greedy_takes", "against_greedy", "against_cooperative", "against_naive"),
    central="median",
    met="naive",
    notes=(_NOTE.format(central="the median"),),
    quick=("rl.steps=1", "self_play.rollouts=2", "sft.steps=1", "demonstrations.episodes=40"),
    quick_measure=MeetingMeasure(matches=2, probe_steps={}),
)
"""The study of self-play; `equipoise reproduce alignment_smollm2` runs it."""
