"""Recipes shipped with the package, one per claim: `GAME/NAME.toml`."""
