"""Models: the embedded ones and any Hugging Face causal language model."""

from pathlib import Path

EMBEDDED = {"tiny": Path(__file__).parent / "embedded", "tiny-talk": Path(__file__).parent / "embedded_talk"}
"""Folders of the embedded models by name: one reads SEPO's games, the other the social dilemmas with messages."""

__all__ = ["EMBEDDED"]
