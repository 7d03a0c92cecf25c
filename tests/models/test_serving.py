"""Engines by name: ours, somebody's, and every way in which a name gives none."""

from itertools import groupby

import pytest

from equipoise.engines.engine import Capabilities
from equipoise.engines.local import LocalEngine
from equipoise.engines.vllm_settings import VllmSettings
from equipoise.errors import UserError
from equipoise.games.kuhn_poker import KuhnPoker
from equipoise.lab.audit import AuditSettings, audit
from equipoise.models.hardware import Hardware
from equipoise.models.serving import Service, opened, served
from equipoise.policies.language_model import LanguageModelPolicy
from equipoise.registry import find
from equipoise.training.recipe import load_recipe
from equipoise.training.run import train
from equipoise.training.tables import to_toml

STRANGER = """
from equipoise.engines.engine import Capabilities
from equipoise.engines.local import LocalEngine
from equipoise.models.load import load

class Theirs(LocalEngine):
    name = "theirs"

def opens(service):
    return Theirs(service.model or load(service.source)[0])

def elsewhere(service):
    import a_package_that_is_not_there

def nothing(service):
    return 3

class Fixed(Theirs):
    can = Capabilities(scores=True, log_probs=True, updates=False)

def fixed(service):
    return Fixed(service.model)

class Tired(Theirs):
    can = Capabilities(scores=True, log_probs=True, updates=True, rests=True)
    did = []

    def sample(self, *args, **kwargs):
        self.did.append("sample")
        return super().sample(*args, **kwargs)

    def rest(self):
        self.did.append("rest")

def tired(service):
    return Tired(service.model)

VALUE = 7
"""


@pytest.fixture
def stranger(tmp_path):
    path = tmp_path / "stranger.py"
    path.write_text(STRANGER)
    return path


def test_the_local_engine_serves_a_model_by_name_and_one_that_is_here(embedded):
    engine, tokenizer = served("tiny", Hardware())
    assert (engine.name, engine.vocabulary, tokenizer.chat_template) == ("local", 1_280, embedded[1].chat_template)
    assert opened(Service("tiny", Hardware(), embedded[0])).model is embedded[0]


def test_somebodys_engine_serves_an_audit(stranger):
    engine, tokenizer = served("tiny", Hardware(engine=f"{stranger}:opens"))
    assert engine.name == "theirs"
    policy = LanguageModelPolicy("agent", engine, tokenizer)
    figures = audit(policy, KuhnPoker(), AuditSettings(deals=4)).agents[0].estimates
    assert figures["nash_conv"].value == pytest.approx(0.499, abs=0.01)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("lokal", "unknown engine 'lokal'.*local"),
        ("{}:VALUE", "needed: a function of a `Service`"),
        ("{}:nothing", "gave .*, which has no 'can'"),
        ("{}:elsewhere", "needs a package that is not installed.*a_package_that_is_not_there"),
    ],
)
def test_a_name_that_gives_no_engine_is_one_line(stranger, name, line):
    with pytest.raises(UserError, match=line) as caught:
        served("tiny", Hardware(engine=name.format(stranger)))
    assert "\n" not in str(caught.value)


class Mute(LocalEngine):
    """An engine that scores nothing."""

    name = "mute"
    can = Capabilities(scores=False, log_probs=True, updates=True)

    def score(self, *args, **kwargs):
        raise AssertionError("it was asked for scores, and said that it has none")


def test_an_engine_that_scores_nothing_is_audited_without_exact_figures_and_says_so(embedded):
    policy = LanguageModelPolicy("agent", Mute(embedded[0]), embedded[1])
    result = audit(policy, KuhnPoker(), AuditSettings(deals=4))
    assert "nash_conv" not in result.agents[0].estimates
    assert any("No exact figures" in note for note in result.agents[0].notes)
    with pytest.raises(UserError, match="the engine 'mute' tells no probabilities"):
        policy.action_probabilities(KuhnPoker(), [])


def test_an_engine_that_takes_no_new_weights_trains_nothing_and_says_so(stranger, tmp_path):
    recipe = load_recipe("kuhn_poker/best_response", ("rl.steps=1", f"hardware.engine={stranger}:fixed"))
    with pytest.raises(UserError, match=r"the engine 'theirs' takes no new weights, or .*; use --engine local or vllm"):
        train(recipe, tmp_path / "run")


def test_an_engine_that_rests_does_so_after_each_steps_play(stranger, tmp_path, embedded):
    options = ("rl.steps=2", "play.rollouts=2", f"hardware.engine={stranger}:tired", "rl.report_to=[]")
    train(load_recipe("kuhn_poker/best_response", options), tmp_path / "run")
    did = [
        name for name, _ in groupby(find("engine", f"{stranger}:tired")(Service("tiny", Hardware(), embedded[0])).did)
    ]
    assert did == ["sample", "rest", "sample", "rest"]


def test_a_recipe_says_what_vllm_may_take(tmp_path):
    recipe = load_recipe("kuhn_poker/best_response", ("hardware.vllm.max_num_seqs=32",))
    assert recipe.hardware.vllm == VllmSettings(max_num_seqs=32)
    (tmp_path / "recipe.toml").write_text(to_toml(recipe))
    assert load_recipe(tmp_path / "recipe.toml") == recipe
    with pytest.raises(UserError, match=r"unknown recipe key in \[hardware.vllm\] 'sequences'"):
        load_recipe("kuhn_poker/best_response", ("hardware.vllm.sequences=32",))
    with pytest.raises(UserError, match=r"gpu_memory_utilization=2.0; allowed: between 0 and 1"):
        load_recipe("kuhn_poker/best_response", ("hardware.vllm.gpu_memory_utilization=2",))
