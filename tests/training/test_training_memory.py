"""Memory that runs out while training: the step begins again in smaller passes, said, or ends in one line."""

import pytest
import torch

from equipoise.errors import ModelWarning, UserError
from equipoise.training.ranks import Ranks
from tests.training.test_trainer import assert_same, experience_of, gradient, made, policy_gradient


@pytest.fixture
def model(new_model):
    return new_model()


def narrow(model, monkeypatch, most, at=0):
    """A model that finds no memory for a pass of more tokens than so many, but for its first few passes."""
    sizes, forward = [], model.forward

    def limited(*args, **given):
        sizes.append(given["input_ids"].numel())
        if len(sizes) > at and sizes[-1] > most:
            raise torch.OutOfMemoryError(f"tried to allocate {sizes[-1]} GiB")
        return forward(*args, **given)

    monkeypatch.setattr(model, "forward", limited)
    return sizes


@pytest.mark.parametrize("at", [0, 1], ids=["in the first pass", "with gradients of the first pass there"])
def test_a_step_in_smaller_passes_has_the_same_gradient(model, tokenizer, tmp_path, monkeypatch, at):
    experience = experience_of(*made(9))
    expected = policy_gradient(model, experience)
    sizes = narrow(model, monkeypatch, 40, at)
    with pytest.warns(ModelWarning, match="out of memory while training; it goes on in 1/2 of the size"):
        captured, _ = gradient(model, tokenizer, experience, tmp_path, pass_tokens=80)
    assert max(sizes) > 40
    assert_same(captured, expected)


def test_what_fits_in_no_pass_is_one_line(model, tokenizer, tmp_path, monkeypatch):
    narrow(model, monkeypatch, 0)
    with pytest.warns(ModelWarning), pytest.raises(UserError, match="out of memory while training, however") as caught:
        gradient(model, tokenizer, experience_of(*made(3)), tmp_path)
    assert "\n" not in str(caught.value)


def test_one_of_several_processes_says_which_setting_to_lower(model, tokenizer, tmp_path, monkeypatch):
    _, trainer = gradient(model, tokenizer, experience_of(*made(3)), tmp_path, pass_tokens=80)

    def without_memory(*args):
        raise torch.OutOfMemoryError("tried to allocate 9 GiB")

    monkeypatch.setattr(trainer, "_step", without_memory)
    monkeypatch.setattr("equipoise.training.trainer.ranks", lambda: Ranks(0, 2))
    with pytest.raises(UserError, match=r"passes of 80 tokens; set rl\.pass_tokens") as caught:
        trainer.training_step(model, {})
    assert "\n" not in str(caught.value)
