"""Policies: scripts, tables, language models."""

from equipoise.policies.policy import Policy, Request, Session
from equipoise.policies.scripted import PolicyTable, ScriptedPolicy, TabularPolicy

__all__ = ["Policy", "PolicyTable", "Request", "ScriptedPolicy", "Session", "TabularPolicy"]
