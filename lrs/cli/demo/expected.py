"""What must have come out at the end of the demo, as a table."""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """One achievement: whose, of which course, and how it must stand at the end ('revoked' = taken back)."""

    employee_id: str
    email: str
    course: str
    title: str
    status: str


OUTCOMES = (
    Outcome("00101", "ada.ek@acme.example", "https://catalogue.acme.example/forklift", "Forklift safety", "passed"),
    Outcome("00102", "bo.lind@acme.example", "https://lms.acme.example/courses/data-protection", "Data protection", "passed"),
    Outcome("00103", "cleo.marsh@acme.example", "https://content.acme.example/negotiation", "Negotiation skills", "passed"),
    Outcome("00104", "dan.oduya@acme.example", "https://content.acme.example/conduct", "Code of conduct", "completed"),
    Outcome("00103", "cleo.marsh@acme.example", "https://moodle.acme.example/course/view.php?id=12", "First aid", "completed"),
    Outcome("00105", "eva.ruiz@acme.example", "https://content.acme.example/ladders", "Ladder safety", "passed"),
    Outcome("00102", "bo.lind@acme.example", "https://content.acme.example/conduct", "Code of conduct", "revoked"),
    Outcome("00101", "ada.ek@acme.example", "https://catalogue.acme.example/fire-safety", "Fire safety briefing", "completed"),
    Outcome("00102", "bo.lind@acme.example", "https://catalogue.acme.example/fire-safety", "Fire safety briefing", "completed"),
    Outcome("00105", "eva.ruiz@acme.example", "https://catalogue.acme.example/fire-safety", "Fire safety briefing", "completed"),
    Outcome("00106", "grace.ito@partner.example", "https://content.acme.example/negotiation", "Negotiation skills", "passed"),
)
"""Eleven achievements from three dozen statements; all the rest is held, and the story says why."""
