"""A thousand queues, as one request can name them or a large center has them: what serving them takes."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.many_queues import cpu_seconds, fetch, idle, make_topics, of_many_queues, publish, revised
from tests.support.services import Services, rss_mib

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka import Cluster

QUEUES = 1000
#: What the issue permits: of a processor a scrape, and of memory.
SCRAPE_CPU_SECONDS, RSS_MB = 0.25, 300
SCRAPES = 4


@pytest.mark.alone
def test_a_thousand_queues_are_served_cheaply(kafka: Cluster, tmp_path: Path) -> None:
    """Scrapes of a thousand queues, each after every figure has changed, take a quarter of a second of CPU; serve stays below 300 MB."""
    records = of_many_queues(QUEUES, rounds=3)
    assert len(records) > 8 * QUEUES

    async def check() -> None:
        with Services(tmp_path, kafka.bootstrap, "many") as services:
            await make_topics(kafka.bootstrap, "many")
            await publish(kafka.bootstrap, "many", records)
            services.run("serve")
            await services.ready("serve")
            pid, address = services.pid("serve"), services.addresses["serve"]
            taken = []
            for revision in range(1, SCRAPES + 1):
                await publish(kafka.bootstrap, "many", revised(records, 1_000_000 + revision))
                await idle(pid)
                before = cpu_seconds(pid)
                answer = await fetch(address, "/metrics")
                taken.append(cpu_seconds(pid) - before)
            # The page and the programs that read everything are there as well.
            for path in ("/api/v1/figures?window=trailing_15m", "/api/v1/trends", "/api/v1/queues/queue%200007"):
                await fetch(address, path)
            held = rss_mib(pid) * 1.048576
            figures = f"{min(taken) * 1000:.0f} to {max(taken) * 1000:.0f} ms of CPU a scrape, {held:.0f} MB held"

        offered = [
            sample
            for family in text_string_to_metric_families(answer.body.decode())
            if family.name == "contact_center_contacts_offered"
            for sample in family.samples
        ]
        assert len({sample.labels["scope"] for sample in offered if sample.labels["scope_kind"] == "queue"}) == QUEUES
        # A call to each queue every ten minutes: three in the last hour.
        assert {sample.value for sample in offered if sample.labels["window"] == "60m" and sample.labels["scope_kind"] == "queue"} == {3}
        # What else the machine does makes some of them dearer, and none cheaper.
        assert min(taken) <= SCRAPE_CPU_SECONDS, figures
        assert held <= RSS_MB, figures
        sys.stdout.write(figures)

    asyncio.run(asyncio.wait_for(check(), 180))
