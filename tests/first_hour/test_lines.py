"""Each line of what stumbled in a newcomer's first hour and an operations manager's day, and of what the manager would choose the page for.

With the tests that show it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
KAFKA, QUICK, MAPPINGS = (f"tests/first_hour/test_{name}.py" for name in ("without_kafka", "quick", "mappings"))
WALL, PAGE, CHOOSING = (f"tests/serving/test_{name}.py" for name in ("dense_wall", "page", "choosing"))
ALERTS = "tests/serving/test_alerts_view.py"
VIEWS = "tests/serving/test_detail_pages.py"
FLOOR, DETAIL = "tests/serving/test_floor_page.py", "tests/serving/test_detail.py"
FIGURES = "tests/first_hour/test_figures.py"
QUESTIONS, THINGS = "tests/first_hour/test_ten_questions.py", "tests/first_hour/test_ten_things.py"
STATUS, SYSTEMD, GRAFANA = "tests/serving/test_status.py", "tests/deploy/test_systemd.py", "tests/deploy/test_grafana.py"

#: Line → tests. The numbers are those of the trial.
LINES = {
    "engineer 1: a threshold that can never be passed": [f"{QUICK}::test_a_threshold_that_can_never_be_passed"],
    "engineer 2: a worker without a broker, a port that is taken, Ctrl-C at once": [
        f"{KAFKA}::test_the_log_stays_short_while_kafka_is_away",
        f"{KAFKA}::test_a_port_in_use_is_one_line",
        f"{KAFKA}::test_an_interrupt_while_it_starts_shows_no_traceback",
    ],
    "engineer 3: thousands of lines after Kafka stops": [
        f"{KAFKA}::test_the_log_stays_short_while_kafka_is_away",
        f"{KAFKA}::test_a_library_logs_each_kind_once_a_minute",
        f"{KAFKA}::test_a_library_with_endless_texts_uses_bounded_memory",
    ],
    "engineer 4: no pip, no systemd, an order of starting": [
        f"{SYSTEMD}::test_every_long_running_command_has_a_unit",
        f"{SYSTEMD}::test_command_line",
        f"{SYSTEMD}::test_systemd_accepts_it",
        f"{SYSTEMD}::test_it_is_hardened",
        f"{KAFKA}::test_the_order_of_starting_does_not_matter",
    ],
    "engineer 5: a demo's seconds pass while its board is grey": [
        f"{FIGURES}::test_the_demo_counts_its_seconds_from_caught_up",
        f"{PAGE}::test_figures_that_catch_up_are_marked",
    ],
    "engineer 6: a wrong equals, a file of dead letters": [
        f"{MAPPINGS}::test_a_condition_that_holds_for_no_row_is_listed",
        f"{MAPPINGS}::test_a_column_of_many_contents_is_not_shown",
        f"{MAPPINGS}::test_a_file_of_dead_letters_is_no_success",
        f"{MAPPINGS}::test_reconcile_reports_that_every_record_was_refused",
        f"{MAPPINGS}::test_reconcile_lists_uncounted_records",
    ],
    "engineer 7: AHT has no value for call records": [
        f"{FIGURES}::test_replay_shows_talk_and_how_it_becomes_aht",
        f"{FIGURES}::test_explain_shows_why_aht_has_no_value_also_in_japanese",
        f"{FIGURES}::test_check_names_what_aht_needs",
        "tests/serving/test_rounding.py::test_the_page_rounds_as_all_else_does",
    ],
    "engineer 8: a wrong path, the demo's port, a gateway without Kafka": [
        f"{QUICK}::test_a_log_in_a_missing_folder_is_reported",
        f"{KAFKA}::test_a_port_in_use_is_one_line",
        f"{KAFKA}::test_the_order_of_starting_does_not_matter",
    ],
    "engineer 9: shift_jis, decimal, columns, a folder, a sample event, tables of tickets and comments": [
        f"{MAPPINGS}::test_shift_jis_is_read",
        f"{MAPPINGS}::test_a_comma_in_a_duration_suggests_decimal",
        f"{MAPPINGS}::test_columns_are_listed_once",
        "tests/connectors/test_mapping_folder.py",
        f"{FIGURES}::test_the_sample_event_of_the_page_counts",
        "tests/connectors/test_mapping_tables.py",
    ],
    "engineer 10: the version takes seconds": [f"{QUICK}::test_the_version_loads_nothing_heavy"],
    "manager 1: a dead sender under a green board": [
        "tests/attacks/test_senders.py::test_holding_a_token_is_no_sign_of_life",
        "tests/tracking/test_watermark.py::test_a_gateway_heartbeat_is_no_sign_of_life",
        "tests/serving/test_wall.py::test_a_silent_source_marks_whom_it_feeds",
        f"{STATUS}::test_the_sentence",
        f"{DETAIL}::test_a_sentence_of_every_source",
        f"{VIEWS}::test_goals_and_quality",
    ],
    "manager 5: yesterday as today": [f"{QUICK}::test_yesterday_is_not_today"],
    "manager 2: alerts name no figure, are old, small and not all reachable": [
        f"{WALL}::test_alerts_name_their_figure_as_it_is_now",
        f"{WALL}::test_all_alerts_are_reachable_and_push_no_row_away",
        f"{WALL}::test_a_wall_is_dense_and_large_enough",
    ],
    "manager 3: channels in one tile": [f"{WALL}::test_channels_are_never_in_one_tile"],
    "manager 4: five rows a page, no totals, one queue small": [
        f"{WALL}::test_a_wall_is_dense_and_large_enough",
        f"{WALL}::test_sixty_queues_are_one_map",
        f"{WALL}::test_one_queue_has_the_wall_for_itself",
    ],
    "manager 6: a telephone shows alerts alone, has no search, and a wall cannot be left": [
        f"{CHOOSING}::test_a_telephone_shows_the_alerts_and_the_worst_queues_first",
        f"{CHOOSING}::test_columns_order_and_places_are_in_the_address",
        f"{WALL}::test_a_wall_can_be_left",
    ],
    "manager 8: no sound, flash, acknowledgement, notification, state in the tab's title, wake lock; explanations by mouse alone": [
        "tests/serving/test_attention.py",
        f"{ALERTS}::test_alerts_are_acknowledged_and_silenced",
        f"{ALERTS}::test_what_draws_attention_is_off_until_it_is_asked_for",
        f"{CHOOSING}::test_figures_are_explained_without_a_mouse",
        f"{WALL}::test_the_title_of_the_tab_shows_the_worst_alert",
    ],
    "manager 10: breaks, whom to call back, why 14:05 dipped, what restores the target, answer rate and level of everything": [
        QUESTIONS,
        f"{FLOOR}::test_the_questions_of_a_supervisor",
        f"{VIEWS}::test_one_queue",
        f"{VIEWS}::test_goals_and_quality",
        f"{DETAIL}::test_the_fewest_contacts_restore_a_target",
        f"{DETAIL}::test_the_day_so_far",
        f"{DETAIL}::test_one_queue_by_interval",
    ],
    "manager 7: Kafka down reads as a cut browser does": [
        f"{STATUS}::test_kafka_that_never_answered_differs_from_kafka_that_was_lost",
        f"{STATUS}::test_the_sentence",
        f"{STATUS}::test_the_command_prints_the_sentence_of_the_server",
        f"{ALERTS}::test_one_sentence_names_the_fault",
    ],
    "manager 9: percentages are cut": [
        "tests/catalogue/test_percent.py",
        "tests/serving/test_rounding.py::test_the_page_rounds_as_all_else_does",
        f"{FIGURES}::test_replay_rounds_percentages",
    ],
    "Japanese: the table": [f"{QUICK}::test_japanese_labels"],
    "Japanese: formulas of explain": [
        "tests/catalogue/test_formulas_ja.py::test_no_english_is_left",
        f"{FIGURES}::test_explain_shows_why_aht_has_no_value_also_in_japanese",
    ],
    "Grafana: what was good": [f"{GRAFANA}::test_dashboards_are_clean", f"{GRAFANA}::test_every_figure_is_on_a_dashboard"],
    "Grafana: what was weak": [
        f"{GRAFANA}::test_service_level_has_the_colors_of_the_queues_own_target",
        f"{GRAFANA}::test_times_of_alerts_and_calendar_exceptions_are_marked",
        f"{GRAFANA}::test_a_click_on_a_queue_leads_to_its_board",
        f"{GRAFANA}::test_the_day_can_be_chosen",
        f"{GRAFANA}::test_the_gauge_of_targets_has_its_threshold",
        f"{GRAFANA}::test_the_japanese_set_asks_the_same",
    ],
    "thing 1: a click on any figure opens its contacts; who gave up, and was reached since": [
        f"{THINGS}::test_a_figure_opens_its_contacts",
        f"{THINGS}::test_abandoned_callers_and_those_reached_since",
        "tests/explaining/test_recent_contacts.py::test_who_gave_up_is_there_until_got_through",
    ],
    "thing 2: people": [f"{THINGS}::test_people_of_a_team", f"{QUESTIONS}::test_who_is_on_a_break_for_too_long"],
    "thing 3: today by queue, and what restores the target": [f"{THINGS}::test_today_by_queue"],
    "thing 4: alerts with figure and current value, all of them, acknowledged, with sound and flash": [
        f"{THINGS}::test_{name}" for name in ("alerts_name_their_figure", "all_alerts", "an_alert_is_acknowledged", "sound_and_flash")
    ],
    "thing 5: a silent sender, and one sentence of what is broken": [
        f"{THINGS}::test_a_silence_is_seen",
        f"{THINGS}::test_every_source_with_a_sentence",
        f"{QUESTIONS}::test_the_fault_and_its_runbook_owner",
    ],
    "thing 6: a dense wall, a heat map of 60, one queue large": [
        f"{THINGS}::test_{name}" for name in ("a_dense_wall", "a_heat_map", "one_queue_large")
    ],
    "thing 7: columns that open, and the board as it was": [
        *(f"{THINGS}::test_{name}" for name in ("a_column_opens", "the_board_as_it_was_then", "the_board_as_it_was_at_any_time")),
        f"{DETAIL}::test_all_queues_in_an_interval",
    ],
    "thing 8: channels never mixed": [f"{THINGS}::test_channels_are_shown_separately", f"{WALL}::test_channels_are_never_in_one_tile"],
    "thing 9: columns, order, site and department, search": [
        f"{THINGS}::test_{name}"
        for name in (
            *("one_more_column", "a_column_first", "rows_by_a_figure"),
            *("the_queues_of_a_site", "the_queues_of_a_department", "queues_by_a_part_of_their_name"),
        )
    ],
    "thing 10: required and actual staff, a login": [f"{THINGS}::test_required_and_actual_staff", f"{THINGS}::test_a_login"],
}

#: Lines that no test shows yet: what is still so. Take a line out of here when it has its tests above.
OPEN: dict[str, str] = {}


def test_every_line_is_listed() -> None:
    """Ten lines of the engineer, ten of the manager, ten things, the Japanese and Grafana: shown or open; none is forgotten."""
    listed = {line.partition(":")[0] for line in (*LINES, *OPEN)}

    assert listed == {*(f"{who} {number}" for who in ("engineer", "manager", "thing") for number in range(1, 11)), "Japanese", "Grafana"}


def test_every_line_names_tests_that_are_collected() -> None:
    """A test that is renamed or taken out leaves its line without proof, and this fails."""
    named = sorted({name for names in LINES.values() for name in names})
    files = sorted({name.partition("::")[0] for name in named})
    arguments = ["-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *files]
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    lines = {line.partition("[")[0] for line in done.stdout.splitlines()}
    collected = lines | {line.partition("::")[0] for line in lines}

    assert [name for name in named if name not in collected] == [], done.stdout[-2000:] + done.stderr[-2000:]
