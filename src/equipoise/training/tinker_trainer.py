"""Optimizer steps on a Tinker server's model: the policy gradient of `loss.py`, and every step taken once.

A step is its number. After it the server saves its state and the run folder writes down where, with what the play must
take up; a step whose answer was lost may have been taken or not, so the run goes back to the last state that was
written down, as a new model on the server, and takes it again. A request that arrives late reaches the old model, which
nobody asks any more. `--resume` after a killed run takes the same road.
"""

from __future__ import annotations

import contextlib
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from equipoise.engines.tinker import TinkerEngine
from equipoise.engines.tinker_arithmetic import Arithmetic, measured
from equipoise.engines.tinker_model import Adam, RemoteModel, Stepped, TokenRow
from equipoise.engines.tinker_server import STATE, ServerFailed
from equipoise.errors import UserError
from equipoise.seeds import Seed, Use
from equipoise.training.callbacks import SHOWN
from equipoise.training.checkpoints import cut_back, newest, rotate, seal
from equipoise.training.loss import examples_of, less_divergence
from equipoise.training.play import Experience
from equipoise.training.progress import Progress
from equipoise.training.settings import Lora
from equipoise.training.signals import Interrupted, hearing
from equipoise.training.tinker_adapter import ATTENTION, MLP, require
from equipoise.training.trainer import StepSettings

TRIES = 5
"""How often in a row a step is tried."""

_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 30.0
_SEEDS = 2**31


@dataclass(frozen=True)
class Playing:
    """How a run plays, and what of it a checkpoint keeps.

    Attributes:
        collect: Plays the episodes of a step, given its number.
        state: What a resumed run takes up, as JSON.
        restore: Takes up a `state`.
    """

    collect: Callable[[int], Experience]
    state: Callable[[], Any]
    restore: Callable[[Any], object]


class TinkerTrainer:
    """Trains an adapter on the base model of an engine's server, which then answers for the engine.

    Attributes:
        step: Steps taken.
        last_metrics: What the last step told.
    """

    def __init__(
        self,
        engine: TinkerEngine,
        settings: StepSettings,
        lora: Lora,
        out: Path,
        playing: Playing,
        *,
        kl: float = 0.0,
        kl_every: int = 1,
        rows_in: int = 1,
        label: str = "training",
    ) -> None:
        """Sets up the steps; `train()` takes them.

        Args:
            engine: Whose model is trained.
            settings: How steps are taken; memory and precision are the server's matter.
            lora: The adapter.
            out: The run folder.
            playing: What is trained on.
            kl: Coefficient of the penalty on the divergence from the base model, whose log-probabilities the server
                tells.
            kl_every: Steps between two measurements of the divergence while the coefficient is 0.
            rows_in: Rows are sent in multiples of so many, the rest weighing nothing, for a server that compiles a
                program for every number of rows.
            label: Shown beside the progress bar.

        Raises:
            UserError: For settings that no Tinker server trains by.
        """
        if settings.temperature != 1.0:
            raise UserError(
                f"got sampling.temperature = {settings.temperature}; the Tinker API trains at temperature 1 alone"
            )
        if not lora.rank:
            raise UserError("got lora.rank = 0; the Tinker API trains adapters alone: set lora.rank, for example to 16")
        self._attention, self._mlp = _sides(lora.targets)
        self._engine, self._settings, self._lora = engine, settings, lora
        self._out, self._playing, self._label = out, playing, label
        self._kl, self._kl_every, self._rows_in = kl, kl_every, rows_in
        self._model: RemoteModel | None = None
        self._arithmetic: Arithmetic | None = None
        self._state, self._interrupted = "", 0
        self.step = 0
        self.last_metrics: dict[str, float] = {}

    @property
    def kept(self) -> str:
        """Where the server has the present state, as the text of a `STATE` file."""
        server = self._engine.server
        return json.dumps({"state": self._state, "url": server.url, "base": server.base}, indent=1) + "\n"

    @property
    def model(self) -> RemoteModel:
        """The model on the server."""
        assert self._model is not None, "train() makes it"
        return self._model

    def train(self) -> None:
        """Takes the steps that are left, from the newest checkpoint on.

        Raises:
            ServerFailed: When a step failed too often; what was done before is saved.
            Interrupted: Ctrl-C, SIGTERM or SIGHUP; every step up to the last is saved.
        """
        failures, reached = 0, -1
        while True:
            try:
                self._take_up()
                self._steps()
                return
            except ServerFailed as error:
                failures, reached = (failures + 1 if self.step == reached else 1), self.step
                if failures >= TRIES:
                    raise ServerFailed(f"{error}; {self.step} steps are saved: --resume --out {self._out}") from error
                print(f"{error}; going back to step {self.step}", file=sys.stderr)
                self._wait(failures)

    def _wait(self, failures: int) -> None:
        """Waits for a server that may be starting again, at most so long, and connects anew."""
        wait_s = min(_FIRST_WAIT_S * 2 ** (failures - 1), _LONGEST_WAIT_S)
        time.sleep(wait_s)
        for _ in range(int(_LONGEST_WAIT_S)):
            if self._engine.server.listens():
                break
            time.sleep(1.0)
        with contextlib.suppress(ServerFailed):  # the next try fails in its turn, and counts
            self._engine.reopen()

    def _take_up(self) -> None:
        """The model, the play and the run's files as the newest checkpoint has them."""
        server, checkpoints = self._engine.server, self._out / "checkpoints"
        if self._model is not None:
            self._model.close()
            self._model = None
        found, left = newest(checkpoints, self._out / "metrics.jsonl", self._playing.restore)
        if left:
            print(f"{'; '.join(left)}; going on from step {found.step if found else 0}", file=sys.stderr)
        if found is None:
            first = Seed(self._settings.seed).at(Use.WEIGHTS).integer() % _SEEDS
            self._model = server.new_model(self._lora.rank, first, attention=self._attention, mlp=self._mlp)
            self.step = 0
            try:
                require(self._model, self._lora)
            except UserError:
                self._model.close()
                raise
            self._keep(self._model.save(_name(0)))
        else:
            self._state = json.loads((found.folder / STATE).read_text(encoding="utf-8"))["state"]
            self._model, self.step = server.restored(self._state), found.step
        cut_back(self._out / "metrics.jsonl", self.step)
        self._engine.serve(self._model, self._state)

    def _steps(self) -> None:
        """Takes the steps that are left."""
        with (
            Progress(self._label, self._settings.steps, done=self.step) as progress,
            hearing(self._interrupt),
        ):
            while self.step < self._settings.steps:
                self._take()
                metrics = self.last_metrics
                progress.advance({label: metrics[key] for key, label in SHOWN.items() if key in metrics})
                if self._interrupted:
                    stopped = f"stopped after step {self.step}; continue with --resume --out {self._out}"
                    raise Interrupted(stopped, self._interrupted)

    def _take(self) -> None:
        """One step: play, gradient, step, state; written down when all of it is done."""
        experience = self._playing.collect(self.step)
        metrics = dict(experience.metrics)
        if self._kl > 0 or self.step % self._kl_every == 0:
            experience, metrics["kl"] = less_divergence(experience, self._reference, self._kl)
        rows = token_rows(experience)
        stepped = self._stepped(rows, self._adam())
        metrics |= _ratios(rows, stepped.log_probs)
        if stepped.gradient_norm is not None:
            metrics["grad_norm"] = stepped.gradient_norm
        state = self.model.save(_name(self.step + 1))
        self._engine.serve(self.model, state)
        self.step, self.last_metrics = self.step + 1, metrics
        with (self._out / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": self.step, **metrics}) + "\n")
        self._keep(state)

    def _stepped(self, rows: Sequence[TokenRow], adam: Adam) -> Stepped:
        """A step along the rows' gradient, no longer than the bound on its norm allows.

        Where the server does not heed the bound, a step that passed it is undone and taken again along the gradient
        that the bound leaves, which is what the optimizer would have been given.
        """
        arithmetic = self._known_arithmetic(rows)
        filled = [*rows, *[min(rows, key=lambda row: len(row.tokens)).scaled(0.0)] * (-len(rows) % self._rows_in)]
        sent = arithmetic.summed(filled)
        taken = self.model.step(sent, adam)
        norm = taken.gradient_norm
        if arithmetic.clips or not adam.clip or norm is None or norm <= adam.clip:
            return taken
        self.model.load(self._state)
        self.model.step([row.scaled(adam.clip / norm) for row in sent], adam)
        return taken

    def _known_arithmetic(self, rows: Sequence[TokenRow]) -> Arithmetic:
        """What the server does with a gradient, measured once; as the API is documented where it cannot be."""
        if self._arithmetic is None:
            text = max((row.tokens for row in rows), key=len)
            self._arithmetic = measured(self._engine.server, self._lora.rank, text) or Arithmetic()
        return self._arithmetic

    def _adam(self) -> Adam:
        """How the present step is taken: at the local trainer's rate."""
        settings = self._settings
        rate = settings.learning_rate * settings.rate(self.step)
        return Adam(rate, beta2=settings.beta2, clip=settings.clip)

    def _reference(self, pairs: list[tuple[tuple[int, ...], tuple[int, ...]]]) -> list[np.ndarray]:
        return self._engine.base_log_probs(pairs)

    def _keep(self, state: str) -> None:
        """Writes down where the server has the present step's state."""
        self._state = state
        folder = self._out / "checkpoints" / f"checkpoint-{self.step}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / STATE).write_text(self.kept, encoding="utf-8")
        seal(folder, self.step, self._playing.state())
        rotate(self._out / "checkpoints", self.step)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._interrupted:  # asked twice: at once
            raise KeyboardInterrupt
        self._interrupted = number


def token_rows(experience: Experience) -> list[TokenRow]:
    """A step's rows with the weights of `loss.examples_of` and the log-probabilities that they were sampled with.

    Raises:
        UserError: For rows of several adapters, or without log-probabilities.
    """
    rows = []
    for row, example in zip(experience.rows, examples_of(experience), strict=True):
        if row.adapter:
            raise UserError("two agents are two adapters of one model in this process; train them with --engine local")
        if len(row.log_probs) != len(row.completion) or not all(map(math.isfinite, row.log_probs)):
            raise UserError("a row has no log-probabilities; the Tinker API trains on replies that the policy sampled")
        rows.append(TokenRow(example.tokens, example.weights, np.append(np.zeros(len(row.prompt)), row.log_probs)))
    return rows


def _ratios(rows: Sequence[TokenRow], log_probs: Sequence[np.ndarray]) -> dict[str, float]:
    """How far the server's two passes agree on the tokens that are trained: mean and largest ratio of probabilities."""
    found = [
        np.exp(now - row.log_probs[1:])[row.advantages[1:] != 0.0]
        for row, now in zip(rows, log_probs, strict=False)  # rows that only fill come last
    ]
    ratios = np.concatenate(found) if found else np.ones(1)
    return {"ratio_mean": float(ratios.mean()), "ratio_max": float(ratios.max())} if len(ratios) else {}


def _sides(targets: Sequence[str]) -> tuple[bool, bool]:
    """Whether an adapter goes on attention, and on the layers between.

    Raises:
        UserError: For targets that the API has no switch for.
    """
    named = frozenset(targets) or ATTENTION | MLP
    if named not in (ATTENTION, MLP, ATTENTION | MLP):
        raise UserError(
            f"got lora.targets = {sorted(named)}; the Tinker API puts adapters on {sorted(ATTENTION)}, on "
            f"{sorted(MLP)} or, with lora.targets = [], on both"
        )
    return bool(named & ATTENTION), bool(named & MLP)


def _name(step: int) -> str:
    return f"step-{step:06d}"
