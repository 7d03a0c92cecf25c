"""Proportional division: claims within the stock are honoured, claims beyond it are scaled down together."""

from __future__ import annotations


def proportional_shares(stock: int, claims: tuple[int, int]) -> tuple[float, float]:
    """What each of two claims to a stock yields: stock * claim / max(stock, sum of claims).

    What nobody claims is lost.

    Args:
        stock: Units there are, at least 1.
        claims: Units each player claims, each from 0 to the stock.

    Reference:
        The division rule of arXiv 2511.19405, in both of its negotiation games.
    """
    divisor = max(stock, sum(claims))
    return stock * claims[0] / divisor, stock * claims[1] / divisor
