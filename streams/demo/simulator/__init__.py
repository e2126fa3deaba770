"""A simulated contact center: canonical events of a working day, the same for the same seed; no clock, no Kafka."""

from __future__ import annotations

from streams.demo.simulator.emission import MAX_DELAY_MS, SOURCES, Emission
from streams.demo.simulator.load import load_events
from streams.demo.simulator.simulation import HeartbeatPlan, Simulation, final_heartbeats

__all__ = ["MAX_DELAY_MS", "SOURCES", "Emission", "HeartbeatPlan", "Simulation", "final_heartbeats", "load_events"]
