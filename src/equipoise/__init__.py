"""Equipoise: strategically safe language-model agents, trained and audited."""

__version__ = "0.1.0"
