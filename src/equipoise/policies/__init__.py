"""Policies: scripts, tables, language models."""

from equipoise.policies.policy import Policy, Request, Session
from equipoise.policies.scripted import PolicyTable, ScriptedPolicy, TabularPolicy
from equipoise.policies.streams import Stream

__all__ = ["Policy", "PolicyTable", "Request", "ScriptedPolicy", "Session", "Stream", "TabularPolicy"]
