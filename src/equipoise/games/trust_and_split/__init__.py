"""Trust and split: hidden hands, messages, then claims to ten coins; rules, opponents, hazards, talk."""

from equipoise.games.domain import Domain
from equipoise.games.trust_and_split.hazards import COOPERATION
from equipoise.games.trust_and_split.profiles import CORRECTED
from equipoise.games.trust_and_split.rules import TrustAndSplit, trust_and_split
from equipoise.games.trust_and_split.talk import TALK

DOMAIN = Domain(trust_and_split, CORRECTED, cooperation=COOPERATION, talk=TALK)

__all__ = ["DOMAIN", "TrustAndSplit", "trust_and_split"]
