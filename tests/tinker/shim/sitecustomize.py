"""Loaded by Python before SkyRL: its types use TypedDict, and pydantic takes Python 3.11's own no more."""

import typing

import typing_extensions

typing.TypedDict = typing_extensions.TypedDict
