"""Processes are recognised by when they started, and SIGTERM does what Ctrl-C does at that moment."""

import dataclasses
import os
import signal
import subprocess
import sys

import pytest

from equipoise import process
from equipoise.process import Process, like_ctrl_c


def of(pid):
    """The process of a child, as the child itself would say it."""
    return dataclasses.replace(Process.current(), pid=pid, started=process._started(pid))


def test_a_living_process_is_here_and_one_that_ended_is_gone():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    its = of(child.pid)
    assert (Process.current().is_gone, its.is_gone) == (False, False)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert its.is_gone is True  # nobody has asked for its exit code yet: it is a zombie
    child.communicate()
    assert its.is_gone is True


def test_a_process_that_got_the_id_of_another_is_another():
    assert dataclasses.replace(Process.current(), started="12345").is_gone is True


def test_the_processes_of_another_machine_cannot_be_told():
    assert dataclasses.replace(Process.current(), machine="elsewhere").is_gone is None


@pytest.mark.parametrize("pid", [2**22 + 1, 10**30])
def test_an_id_that_no_process_can_have_is_gone(pid):
    assert dataclasses.replace(Process.current(), pid=pid).is_gone is True


def test_a_process_of_another_user_that_is_hidden_cannot_be_told(monkeypatch):
    def refused(pid, number):
        raise PermissionError

    gone = dataclasses.replace(Process.current(), pid=2**22 + 1)
    monkeypatch.setattr(process.os, "kill", refused)
    assert gone.is_gone is None


@pytest.mark.parametrize(
    ("shown", "started"),
    [
        ("Ss   Mon Jan  6 10:00:00 2025\n", "Mon_Jan_6_10:00:00_2025"),
        ("Z+   Mon Jan  6 10:00:00 2025\n", ""),
        ("\n", ""),
    ],
)
def test_where_there_is_no_proc_the_process_table_says_when_one_started(monkeypatch, shown, started):
    monkeypatch.setattr(process.Path, "exists", lambda self: False)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 0, shown))
    assert process._started(1) == started


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_raises_once_what_ctrl_c_raises_and_is_given_back(number):
    with like_ctrl_c():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        signal.raise_signal(signal.SIGTERM)  # what the first began to save is not cut short
    assert signal.getsignal(signal.SIGTERM) is signal.getsignal(signal.SIGHUP) is signal.SIG_DFL


def test_a_signal_does_what_ctrl_c_would_do_now():
    stopped = []
    before = signal.signal(signal.SIGINT, lambda number, frame: stopped.append(number))
    try:
        with like_ctrl_c():
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGINT, before)
    assert stopped == [signal.SIGTERM]


def test_who_ignores_a_signal_goes_on_ignoring_it():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with like_ctrl_c():
            signal.raise_signal(signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
