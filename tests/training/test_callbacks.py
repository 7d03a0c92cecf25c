"""When a checkpoint is saved where the recipe does not say, and what the signals that stop a run do."""

import itertools
import signal
import threading
from types import SimpleNamespace

import pytest

from equipoise.training import callbacks
from equipoise.training.callbacks import SHARE, CheapSaves
from equipoise.training.signals import STOPPING, hearing


def saved(monkeypatch, steps, step_s, save_s):
    """The steps after which a run saves whose steps and checkpoints take so many seconds, and the seconds in all."""
    now = [100.0]
    monkeypatch.setattr(callbacks, "time", SimpleNamespace(monotonic=lambda: now[0]))
    state, found = SimpleNamespace(global_step=0, max_steps=steps), []
    saves = CheapSaves()
    saves.on_train_begin(None, state, None)
    for _ in range(steps):
        state.global_step += 1
        control = SimpleNamespace(should_save=False)
        now[0] += step_s
        saves.on_step_end(None, state, control)
        if control.should_save:
            now[0] += save_s
            saves.on_save(None, state, control)
            found.append(state.global_step)
    return found, now[0] - 100.0


def test_a_checkpoint_that_is_cheap_beside_a_step_is_saved_after_every_step(monkeypatch):
    assert saved(monkeypatch, 6, step_s=10.0, save_s=0.19)[0] == [1, 2, 3, 4, 5, 6]


def test_a_dear_one_is_saved_as_seldom_as_its_share_of_the_time_allows_and_after_the_last_step(monkeypatch):
    assert saved(monkeypatch, 12, step_s=1.0, save_s=0.1)[0] == [1, 6, 11, 12]
    found, seconds = saved(monkeypatch, 2_000, step_s=1.0, save_s=0.5)
    assert len(found) * 0.5 / seconds < SHARE * 1.05
    assert max(later - sooner for sooner, later in itertools.pairwise(found)) == 25


def test_signals_are_heard_within_and_do_what_they_did_before_afterwards():
    numbers = [getattr(signal, name) for name in STOPPING]
    before, heard = [signal.getsignal(number) for number in numbers], []
    with hearing(lambda number, frame: heard.append(number)) as were:
        for number in numbers:
            signal.raise_signal(number)
    assert heard == numbers
    assert list(were.values()) == before == [signal.getsignal(number) for number in numbers]


def test_they_are_given_back_after_an_error_and_one_that_is_ignored_stays_so():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    other = signal.getsignal(signal.SIGTERM)

    def fail():
        with hearing(lambda *_: None):
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) is not other
            raise ZeroDivisionError

    try:
        with pytest.raises(ZeroDivisionError):
            fail()
        assert signal.getsignal(signal.SIGTERM) is other
    finally:
        signal.signal(signal.SIGHUP, before)


def test_outside_the_main_thread_signals_are_left_alone():
    before, found = signal.getsignal(signal.SIGINT), []

    def work():
        with hearing(lambda *_: None) as were:
            found.append((dict(were), signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [({}, before)]
