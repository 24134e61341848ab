"""The doctor: rules that look at facts and say what is wrong, why that matters, and the step that mends it. Pure."""

from __future__ import annotations

from itertools import chain

from avcache.ops.doctor import keyspace, reads, server, store
from avcache.ops.doctor.facts import DoctorFacts, NamespaceFacts, SettingFacts, hour_and_yesterday
from avcache.ops.doctor.finding import SEVERITIES, Action, Finding, Severity

__all__ = [
    "SEVERITIES",
    "Action",
    "DoctorFacts",
    "Finding",
    "NamespaceFacts",
    "SettingFacts",
    "Severity",
    "examine",
    "hour_and_yesterday",
]

_RULES = (*store.RULES, *server.RULES, *keyspace.RULES, *reads.RULES)


def examine(facts: DoctorFacts) -> tuple[Finding, ...]:
    """What deserves an operator's attention, most severe first. What is not known brings no finding."""
    found = chain.from_iterable(rule(facts) for rule in _RULES)
    return tuple(sorted(found, key=lambda finding: SEVERITIES.index(finding.severity)))
