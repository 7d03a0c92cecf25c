"""Entry checks shared by the objectives: each returns its argument as an array or raises one clear line."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equipoise.errors import UserError


def finite_matrix(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """`values` as a float array [B, T].

    Raises:
        ValueError: If it is not two-dimensional or holds NaN or infinity.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 2:
        raise UserError(f"{name} has shape {array.shape}; it must be [B, T], one row per episode")
    if not np.isfinite(array).all():
        row, step = np.argwhere(~np.isfinite(array))[0]
        raise UserError(f"{name}[{row}, {step}] is {array[row, step]}; every entry must be finite (use 0 for padding)")
    return array


def integer_vector(name: str, values: ArrayLike, size: int) -> NDArray[np.int64]:
    """`values` as an integer array [B].

    Raises:
        TypeError: If the entries are not integers.
        ValueError: If the shape is not [B].
    """
    array = np.asarray(values)
    if array.shape != (size,):
        raise UserError(f"{name} has shape {array.shape}; it must be ({size},), one entry per episode")
    if array.size and not np.issubdtype(array.dtype, np.integer):
        raise TypeError(f"{name} has dtype {array.dtype}; it must hold integers, one per episode")
    return array.astype(np.int64, copy=False)


def boolean_mask(name: str, values: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """`values` as a boolean array of `shape`.

    Raises:
        TypeError: If the entries are not booleans.
        ValueError: If the shape differs.
    """
    array = np.asarray(values)
    if array.shape != shape:
        raise UserError(f"{name} has shape {array.shape}; it must be {shape}, like the values it masks")
    if array.dtype != np.bool_:
        raise TypeError(f"{name} has dtype {array.dtype}; it must be boolean (True where the agent decided)")
    return array


def unit_interval(name: str, value: float) -> float:
    """`value` as a float in [0, 1].

    Raises:
        ValueError: If it lies outside or is NaN.
    """
    if not 0.0 <= value <= 1.0:
        raise UserError(f"{name} is {value}; it must lie in [0, 1]")
    return float(value)


def non_negative(name: str, value: float) -> float:
    """`value` as a finite, non-negative float.

    Raises:
        ValueError: If it is negative, infinite or NaN.
    """
    if not (math.isfinite(value) and value >= 0.0):
        raise UserError(f"{name} is {value}; it must be finite and at least 0 (0 switches the term off)")
    return float(value)
