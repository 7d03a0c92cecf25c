"""Conformance checks for games, opponents, pools and engines, as plain functions that assert.

A new game gets its tests for free: `check_game(MyGame(), seed=0)` plays random episodes and holds every state on the
way to what `equipoise.core` promises. `check_pools` holds every script to its claims. A failure says what broke and
where.
"""

from equipoise.testing.engines import EngineCase, check_engine
from equipoise.testing.games import check_game, first_failure
from equipoise.testing.play import PLAYS
from equipoise.testing.scripts import MAX_REASON_CHARACTERS, check_opponent, check_pools, check_profile

__all__ = [
    "MAX_REASON_CHARACTERS",
    "PLAYS",
    "EngineCase",
    "check_engine",
    "check_game",
    "check_opponent",
    "check_pools",
    "check_profile",
    "first_failure",
]
