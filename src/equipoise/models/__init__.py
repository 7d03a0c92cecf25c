"""Models: the embedded default and any Hugging Face causal language model."""
