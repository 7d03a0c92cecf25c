"""Plain passes of models under weights of all kinds: what the engine must agree with."""

import numpy as np
import torch

from equipoise.engines.local import wearing
from equipoise.engines.plain_scoring import token_log_probs
from equipoise.seeds import Seed, keys


def plainly(model):
    """Plain passes of a model."""
    return lambda prompt, reply, heat: token_log_probs(model, [(prompt, reply)], heat)[0]


def under(model, weights):
    """Plain passes of a model under other weights."""

    def plain(prompt, reply, heat):
        with wearing(model, weights):
            return token_log_probs(model, [(prompt, reply)], heat)[0]

    return plain


def moved(model, seed, share=0.2):
    """Other values for all that training moves of a model."""
    generator = torch.Generator().manual_seed(seed)
    trained = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    return {n: p + share * p.std(correction=0) * torch.randn(p.shape, generator=generator) for n, p in trained.items()}


def move(model, seed):
    """Moves a model's trained weights in place, as an optimizer does."""
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for name, value in moved(model, seed).items():
            parameters[name].copy_(value)


def off(samples, prompt, plain, heat=1.0):
    """The largest difference between samples' log-probabilities and those of plain passes."""
    return max(np.abs(np.array(s.log_probs) - plain(prompt.ids, s.tokens, heat)).max() for s in samples)


def replies(engine, prompt, count, decoding, seed=0, adapter=""):
    """Some replies to one prompt."""
    (samples,) = engine.sample([prompt], [keys(Seed(seed), range(count))], decoding, adapter=adapter)
    return samples
