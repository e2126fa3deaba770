"""The dashboards in Japanese: what stands on the English ones, text by text; a text without translation stops the generator."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any, Final

from streams.catalogue import KPIS, metrics_of
from streams.catalogue.formulas_ja import formula_ja

__all__ = ["SUFFIX", "in_japanese"]

#: Behind the uid of a dashboard, and its tag.
SUFFIX: Final = "-ja"

_TEXTS: Final = {
    # --- dashboards, rows, variables, marks
    "Wallboard": "ウォールボード",
    "Queue detail": "キュー詳細",
    "Pipeline": "パイプライン",
    "What is going on now, over all queues and by queue.": "全体とキュー別の現在の状況。",
    "One queue over time.": "1つのキューの推移。",
    "How events come in, how they are counted and how fresh the figures are, in the order of the data path.": (
        "イベントの受信から集計、データの鮮度までを、データの流れの順に示します。"
    ),
    "Now": "現在",
    "Queues": "キュー別",
    "Targets": "目標",
    "Still to do": "未処理",
    "Outside the queues": "キュー以外",
    "People": "担当者",
    "Staff": "要員",
    "Customers, where serve exports their windows": "顧客（serveが顧客の期間を出力する場合）",
    "Forecast, where serve exports interval_30m": "予測（serveがinterval_30mを出力する場合）",
    "Service": "サービス",
    "Work": "対応",
    "Response and resolution": "応答と解決",
    "What it is about": "問い合わせの内容",
    "Messages": "メッセージ",
    "Surveys": "アンケート",
    "Sources": "ソース",
    "Gateway": "ゲートウェイ",
    "Workers": "ワーカー",
    "Figures": "データ",
    "Data source": "データソース",
    "Job": "ジョブ",
    "Instance": "インスタンス",
    "Channel": "チャネル",
    "Window": "集計期間",
    "Queue": "キュー",
    "Alerts": "アラート",
    "Calendar exceptions": "カレンダー例外",
    # --- panels
    "Age of the figures": "データの経過時間",
    "Age of what is complete": "確定時点からの経過時間",
    "Silent sources": "更新途絶のソース",
    "Queues below target": "目標未達のキュー",
    "Target": "目標",
    "To target": "目標との差",
    "Backlog": "未解決の問い合わせ",
    "Repeated contacts": "再連絡",
    "Orders": "注文",
    "Customers who stay": "顧客の継続",
    "Forecast and required staff": "予測負荷と必要人数",
    "Scheduled and actual staff": "予定人数と実人数",
    "Schedule": "スケジュール",
    "Use of working time": "稼働時間の使い方",
    "Answered and abandoned": "応答と放棄",
    "Waiting times": "待ち時間",
    "Contacts": "問い合わせ件数",
    "Handling times": "処理時間",
    "Measured share of the handling times": "処理時間の集計対象の割合",
    "Transfers and escalations": "転送とエスカレーション",
    "Times to response and resolution": "応答・解決までの時間",
    "Measured share of the resolution time": "解決所要時間の集計対象の割合",
    "Resolution": "解決",
    "Measured share of messages and thanks": "メッセージと感謝の集計対象の割合",
    "Measured share of the scores": "評点の集計対象の割合",
    "Silence by source": "ソース別の無通信時間",
    "Processes that answer": "応答しているプロセス",
    "Events taken": "受信したイベント",
    "Events refused": "拒否したイベント",
    "Requests": "リクエスト",
    "Publishing": "書き込み時間",
    "Records processed": "処理したレコード",
    "Late and repeated events": "遅延・重複イベント",
    "Dead letters": "デッドレター",
    "Commits": "コミット",
    "Duration of a commit": "コミットの所要時間",
    "Rows and records written": "書き込んだ行とレコード",
    "Progress by partition": "パーティション別の進み",
    "Lag by partition": "パーティション別の遅れ",
    "Restoring": "復元中",
    "Duration of restoring": "復元の所要時間",
    "Serving": "配信中",
    "Open event streams": "接続中のイベントストリーム",
    # --- descriptions
    "Queues whose service level, live, misses their own target.": "リアルタイムのサービスレベルが、そのキューの目標に届かないキューの数。",
    "Target of the queue's service level, from the configuration; absent for queues without one.": (
        "設定にあるキューのサービスレベルの目標。目標のないキューにはありません。"
    ),
    "1 if a source has been silent for longer than it may be, or was never seen though the configuration expects it, else 0.": (
        "許される時間を超えて通信のないソース、または設定にあるのに一度も通信のないソースは1、それ以外は0。"
    ),
    "1 if the serving process has read the metric topic to its end and still reaches it, else 0.": (
        "配信プロセスが指標のトピックを最後まで読み、接続を保っていれば1、それ以外は0。"
    ),
    "1 while a worker restores the state of its partitions.": "ワーカーがパーティションの状態を復元している間は1。",
    "Committed transactions a second.": "1秒当たりのコミットしたトランザクション数。",
    "Events that Kafka acknowledged, by sender.": "Kafkaが受領したイベント（送信元別）。",
    "Events that break a rule, by sender and reason; they become dead letters.": (
        "規則に反するイベント（送信元・理由別）。デッドレターになります。"
    ),
    "From the first event handed to Kafka until all of a request's were acknowledged.": (
        "リクエストの最初のイベントをKafkaに渡してから、すべてが受領されるまでの時間。"
    ),
    "How fast the committed offset of each source partition moves; one that stands still while others move is stuck.": (
        "各パーティションのコミット済みオフセットの進む速さ。他が進むのに止まっているものは停滞しています。"
    ),
    "How long the last transaction took; at 8 seconds Kafka ends it.": "直前のトランザクションの所要時間。8秒でKafkaが打ち切ります。",
    "How long the restore of each partition took.": "各パーティションの復元の所要時間。",
    "Last sign of life of a source.": "ソースの最後の通信時刻。",
    "Late ones came after the grace and change no figure; repeated ones were known and count once.": (
        "遅延イベントは猶予を過ぎて到着し、集計に影響しません。重複イベントは到着済みで、1回だけ数えます。"
    ),
    "Newest instant that the figures include; alert on time() minus this.": (
        "データに反映された最新の時刻。time()との差でアラートを設定します。"
    ),
    "Nothing earlier than this is still to come; absent while part of the stream has reported nothing.": (
        "これより前のイベントはもう届きません。ストリームの一部が未通信の間はありません。"
    ),
    "Open streams of server-sent events.": "接続中のServer-Sent Eventsの数。",
    "Processes that Prometheus reaches, by kind.": "Prometheusが接続できるプロセス（種類別）。",
    "Records of each source partition that are not counted yet, marks of transactions among them.": (
        "各パーティションのまだ集計していないレコード（トランザクションの印を含む）。"
    ),
    "Records set aside, by flow and reason.": "除外したレコード（フロー・理由別）。",
    "Records taken in, by flow.": "取り込んだレコード（フロー別）。",
    "Requests for /v1/events by the status they were answered with.": "/v1/eventsへのリクエスト（応答ステータス別）。",
    "Rows of state, and records published (panes, metrics, dead letters), a second.": (
        "1秒当たりの状態の行と、書き込んだレコード（集計区画・指標・デッドレター）。"
    ),
    # --- legends
    "99 % of requests": "リクエストの99%",
    "half of requests": "リクエストの半数",
    "late": "遅延",
    "repeated": "重複",
    "records": "レコード",
    "rows of state": "状態の行",
}


def _capitalized(text: str) -> str:
    return text[:1].upper() + text[1:]


def _of_figures() -> dict[str, str]:
    """Return what is said of figures, as `boards` writes it, in Japanese."""
    texts: dict[str, str] = {}
    for kpi in KPIS:
        name = _capitalized(kpi.en)
        texts |= {
            name: kpi.ja,
            kpi.meaning_en: kpi.meaning_ja,
            # English descriptions have the Japanese one below; here it stands alone.
            f"{kpi.ja}: {kpi.meaning_ja}": "",
            f"{_capitalized(kpi.text)}.": f"{formula_ja(kpi)}。",
            f"**{name}** ({kpi.ja}): {kpi.meaning_en}": f"**{kpi.ja}**：{kpi.meaning_ja}",
            f"**{name}**: {kpi.meaning_en}": f"**{kpi.ja}**：{kpi.meaning_ja}",
        }
        coverage = (metric.help for metric in metrics_of(kpi) if metric.part == "coverage")
        texts |= dict.fromkeys(coverage, f"{kpi.ja}の集計対象の割合（0〜1）。1未満なら報告しないソースがあります。")
    return texts


_ALL: Final = _TEXTS | _of_figures()
_BLANK: Final = re.compile(r"(\{\{\w+\}\})")


def in_japanese(board: dict[str, Any]) -> dict[str, Any]:
    """Return a dashboard in Japanese; raise KeyError for a text that has no translation."""
    board = deepcopy(board)
    board["uid"] += SUFFIX
    board["tags"] = [f"{tag}{SUFFIX}" for tag in board["tags"]]
    board["title"], board["description"] = _text(board["title"]), _text(board["description"])
    for link in board["links"]:
        link["tags"] = [f"{tag}{SUFFIX}" for tag in link["tags"]]
    for each in board["annotations"]["list"]:
        each["name"] = _text(each["name"])
    for variable in board["templating"]["list"]:
        variable["label"] = _text(variable["label"])
    for panel in board["panels"]:
        _panel(panel)
    return board


def _panel(panel: dict[str, Any]) -> None:
    panel["title"] = _text(panel["title"])
    if "description" in panel:
        panel["description"] = "\n\n".join(filter(None, map(_text, panel["description"].split("\n\n"))))
    for target in panel.get("targets", ()):
        target["legendFormat"] = _legend(target["legendFormat"])
    for override in panel.get("fieldConfig", {}).get("overrides", ()):
        if override["matcher"]["id"] == "byName":
            override["matcher"]["options"] = _text(override["matcher"]["options"])
        for each in override["properties"]:
            if each["id"] == "links":
                for link in each["value"]:
                    link["title"] = _text(link["title"])
                    link["url"] = re.sub(r"^(/d/[\w-]+)", rf"\1{SUFFIX}", link["url"])
    for transformation in panel.get("transformations", ()):
        names = transformation["options"].get("renameByName", {})
        names.update({name: _text(title) for name, title in names.items()})


def _text(text: str) -> str:
    return _ALL[text] if text else ""


def _legend(text: str) -> str:
    """Return a legend with what stands between its blanks translated: names of figures and words, not signs."""
    parts = _BLANK.split(text)
    return "".join(part if n % 2 or not re.search(r"\w", part) else _word_in(part) for n, part in enumerate(parts))


def _word_in(part: str) -> str:
    """Return a word of a legend with the signs and spaces around it."""
    word = part.strip(" :")
    before, after = part[: len(part) - len(part.lstrip(" :"))], part[len(part.rstrip(" :")) :]
    return f"{before}{_ALL[word]}{after}"
