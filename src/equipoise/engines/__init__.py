"""Engines: where a language model's tokens come from."""
