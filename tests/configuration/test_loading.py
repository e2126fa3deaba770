"""Problems of a configuration file have their lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from streams.configuration import Configuration, ConfigurationError, load_configuration
from streams.configuration.judges import definitions_of

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """\
default_zone: Europe/Berlin
service_level:
  threshold_s: 30
sites:
  bonn:
    zone: Europe/Berlin
    day_start: "05:00"
queues:
  sales:
    channel: voice
    site: bonn
    service_level:
      threshold_s: 10
  support: {}
teams:
  red:
    site: bonn
people:
  ann:
    team: red
counting:
  grace_seconds: 60
  interval_minutes: [15, 30]
"""


def load(tmp_path: Path, text: str | bytes) -> Configuration:
    """Load a text from a file."""
    path = tmp_path / "streams.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_configuration(path)


def complaint(tmp_path: Path, text: str | bytes) -> str:
    """Return the problems of a text, without the directory of the file."""
    with pytest.raises(ConfigurationError) as caught:
        load(tmp_path, text)
    return str(caught.value).replace(str(tmp_path), "")


class TestGood:
    """Files that can be used."""

    def test_content(self, tmp_path: Path) -> None:
        """Everything in the file is in the configuration; the rest are the defaults of the page."""
        found = load(tmp_path, GOOD)

        def threshold(queue: str) -> float:
            judges = definitions_of(found, queue, "voice")
            return judges.versions[judges.first][0].threshold_s

        assert found.zone_of_site("bonn").key == found.zone_of_site(None).key == "Europe/Berlin"
        assert threshold("sales") == 10
        assert threshold("support") == threshold("another") == 30
        assert (found.counting.grace_seconds, found.counting.rejoin_seconds) == (60, 60)

    def test_no_file(self) -> None:
        """Without a path there are the defaults of the page."""
        found = load_configuration(None)

        counting = found.counting
        assert (counting.grace_seconds, counting.rejoin_seconds, counting.source_timeout_seconds, counting.disorder_seconds) == (
            120,
            60,
            40,
            5,
        )
        assert (counting.trailing_minutes, counting.interval_minutes) == ((5, 15, 30, 60), (15, 30))
        level = found.service_level
        assert (level.threshold_s, level.abandon, level.short_abandon_s, level.boundary) == (20, "negative", None, "le")
        assert level.flow_out_negative == {"timeout", "empty"}

    @pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n"])
    def test_an_empty_file(self, tmp_path: Path, text: str) -> None:
        """An empty file means the defaults."""
        assert load(tmp_path, text) == Configuration()

    def test_numbers_as_names(self, tmp_path: Path) -> None:
        """A queue may be called by its number, without quotes, wherever it is named; what YAML 1.1 takes for a time or a word is a text."""
        found = load(tmp_path, "sites:\n  12: {zone: UTC, day_start: 05:00}\nqueues:\n  5001: {site: 12}\n  no: {}\n")

        assert (found.queues["5001"].site, found.sites["12"].day_start, [*found.queues]) == ("12", "05:00", ["5001", "no"])

    def test_anchors(self, tmp_path: Path) -> None:
        """What is the same for many queues may be written once."""
        text = "queues:\n  a: &common {channel: chat, target: 0.8}\n  b: *common\n  c: {<<: *common, target: 0.9}\n"
        queues = load(tmp_path, text).queues

        assert [(queue.channel, queue.target) for queue in queues.values()] == [("chat", 0.8), ("chat", 0.8), ("chat", 0.9)]


class TestBad:
    """Files that cannot be used."""

    @pytest.mark.parametrize(
        ("right", "wrong", "line", "where", "reason"),
        [
            ("default_zone: Europe/Berlin", "default_zone: Europe/Bonn", 1, "default_zone", "unknown time zone 'Europe/Bonn'"),
            ("    zone: Europe/Berlin", "    zone: Mars/Olympus", 6, "sites.bonn.zone", "unknown time zone 'Mars/Olympus'"),
            (
                "  threshold_s: 30",
                "  threshold_s: -1",
                3,
                "service_level.threshold_s",
                "found -1; permitted: a number, above 0, at most 2592000",
            ),
            (
                "      threshold_s: 10",
                "      threshold_s: -1",
                13,
                "queues.sales.service_level.threshold_s",
                "permitted: a number, above 0",
            ),
            (
                "    channel: voice",
                "    chanel: voice",
                10,
                "queues.sales.chanel",
                "unknown key, did you mean channel?; permitted: business_hours,",
            ),
            ("    channel: voice", "    channel: fax", 10, "queues.sales.channel", 'found "fax"'),
            (
                '    day_start: "05:00"',
                '    day_start: "05:10"',
                7,
                "sites.bonn.day_start",
                'permitted: a local time, HH:MM, on the quarter hour, such as "05:00"',
            ),
            (
                "  grace_seconds: 60",
                "  grace_seconds: soon",
                22,
                "counting.grace_seconds",
                'found "soon"; permitted: a whole number, 0 to 86400',
            ),
            (
                "  interval_minutes: [15, 30]",
                "  interval_minutes: [15, 20]",
                23,
                "counting.interval_minutes.1",
                "found 20; permitted: 5, 15, 30, 60",
            ),
        ],
    )
    def test_the_line(self, tmp_path: Path, right: str, wrong: str, line: int, where: str, reason: str) -> None:
        """File, line, place and what is permitted."""
        message = complaint(tmp_path, GOOD.replace(right, wrong, 1))

        assert message.startswith(f"/streams.yaml:{line}: {where}: ")
        assert reason in message
        assert "\n" not in message

    @pytest.mark.parametrize(
        ("right", "wrong", "problem"),
        [
            (
                "    site: bonn\n    service",
                "    site: cologne\n    service",
                "11: queues.sales.site: 'cologne' is not among sites; permitted: bonn",
            ),
            ("  red:\n    site: bonn", "  red:\n    site: cologne", "17: teams.red.site: 'cologne' is not among sites; permitted: bonn"),
            ("    team: red", "    team: green", "20: people.ann.team: 'green' is not among teams; permitted: red"),
        ],
    )
    def test_an_unknown_reference_has_its_own_line(self, tmp_path: Path, right: str, wrong: str, problem: str) -> None:
        """A site or team that is not there is named in its own line, with those that are."""
        assert complaint(tmp_path, GOOD.replace(right, wrong, 1)) == f"/streams.yaml:{problem}"

    def test_everything_at_once(self, tmp_path: Path) -> None:
        """Every problem has a line of its own."""
        message = complaint(tmp_path, GOOD.replace("Europe/Berlin", "Europe/Bonn").replace("threshold_s: 30", "threshold_s: 0"))

        assert [line.split(": ")[0] for line in message.splitlines()] == ["/streams.yaml:1", "/streams.yaml:3", "/streams.yaml:6"]

    def test_no_yaml(self, tmp_path: Path) -> None:
        """A bracket that is not closed is found where the parser gives up."""
        assert complaint(tmp_path, "default_zone: UTC\nqueues: [\n").startswith("/streams.yaml:3: is not valid YAML: ")

    @pytest.mark.parametrize("text", ["- a\n- b\n", "just words\n", "42\n"])
    def test_no_mapping(self, tmp_path: Path, text: str) -> None:
        """A list or a word is no configuration."""
        assert complaint(tmp_path, text).startswith("/streams.yaml:1: ")

    def test_not_utf8(self, tmp_path: Path) -> None:
        """The byte that is not UTF-8 is named."""
        assert complaint(tmp_path, b"queues:\n  caf\xe9: {}\n") == "/streams.yaml: is not UTF-8 text (byte 13)"

    def test_control_characters(self, tmp_path: Path) -> None:
        """A file with bytes that YAML does not take is refused like one that is no YAML."""
        assert "is not valid YAML" in complaint(tmp_path, b"queues:\n  a\x00b: {}\n")

    def test_a_missing_file(self, tmp_path: Path) -> None:
        """The path is named, and why it cannot be read."""
        with pytest.raises(ConfigurationError, match=r"nowhere\.yaml: cannot be read: No such file"):
            load_configuration(tmp_path / "nowhere.yaml")

    def test_a_folder(self, tmp_path: Path) -> None:
        """A folder is no file."""
        with pytest.raises(ConfigurationError, match="cannot be read"):
            load_configuration(tmp_path)

    def test_everything_though_something_does_not_fit_together(self, tmp_path: Path) -> None:
        """An unknown reference is reported beside a wrong value, a duplicate key beside both."""
        message = complaint(
            tmp_path, GOOD.replace("threshold_s: 30", "threshold_s: 0").replace("team: red", "team: rde") + "default_zone: UTC\n"
        )

        assert message.splitlines() == [
            "/streams.yaml:3: service_level.threshold_s: found 0; permitted: a number, above 0, at most 2592000",
            "/streams.yaml:20: people.ann.team: 'rde' is not among teams, did you mean red?; permitted: red",
            "/streams.yaml:24: the key 'default_zone' is here twice, first in line 1; permitted: once",
        ]
