"""The auction: rules, opponents, hazards."""

from equipoise.games.auction.profiles import CORRECTED, PUBLISHED
from equipoise.games.auction.rules import Auction
from equipoise.games.domain import Domain

DOMAIN = Domain(Auction, CORRECTED, PUBLISHED)

__all__ = ["DOMAIN", "Auction"]
