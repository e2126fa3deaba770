"""Entries about opinions of customers; the formulas are those of ``docs/counting.md`` section 8."""

from __future__ import annotations

from streams.catalogue import fields as f
from streams.catalogue.choices import ByDefinition
from streams.catalogue.formulas import Count, Mean, Ratio
from streams.catalogue.model import Kpi

__all__ = ["OPINIONS"]

OPINIONS: tuple[Kpi, ...] = (
    Kpi(
        id="csat",
        en="customer satisfaction",
        ja="顧客満足度 (CSAT)",
        meaning_en="Mean score of satisfaction surveys, 1 to 5; other scales are converted to it, good or bad left out.",
        meaning_ja="満足度アンケートの平均点（1〜5）。他の尺度は1〜5に換算し、良い・悪いの二択は含みません。",
        formula=Mean(f.CSAT_MILLI, f.CSAT_COUNT - f.CSAT_GOOD_OR_BAD, f.SURVEYS_ANSWERED),
        unit="score",
        direction="up",
    ),
    Kpi(
        id="csat_top2",
        en="customer satisfaction, top two",
        ja="顧客満足度（上位2段階）",
        meaning_en="Share of satisfaction scores that are 4 or 5, or as high on another scale, such as good.",
        meaning_ja="満足度アンケートで4または5（他の尺度では相当する点、二択では「良い」）を付けた割合。",
        formula=ByDefinition(
            "csat_top",
            {
                4: Ratio(f.CSAT_TOP, f.CSAT_COUNT, f.SURVEYS_ANSWERED),
                **{
                    top: Ratio(
                        f.CSAT_TOPS.at(f"scores of at least {top}", top=top).called(short="csat_top_N"), f.CSAT_COUNT, f.SURVEYS_ANSWERED
                    )
                    for top in (2, 3, 5)
                },
            },
        ),
        unit="ratio",
        direction="up",
        metric="contact_center_csat_top_ratio",
    ),
    Kpi(
        id="csat_other_scales",
        en="satisfaction scores on other scales",
        ja="他の尺度による満足度の回答数",
        meaning_en="Satisfaction scores on other scales than 1 to 5, by scale.",
        meaning_ja="1〜5以外の尺度で付けられた満足度の回答数（尺度別）。",
        formula=Count(f.CSAT_SCALE),
        unit="count",
        direction="none",
        metric="contact_center_csat_other_scales",
    ),
    Kpi(
        id="nps",
        en="net promoter score",
        ja="NPS（推奨度）",
        meaning_en="Promoters minus detractors in percent, -100 to 100.",
        meaning_ja="推奨者（9〜10点）の割合から批判者（0〜6点）の割合を引いた値（-100〜100）。",
        formula=Ratio((100 * (f.NPS_PROMOTERS - f.NPS_DETRACTORS)).served_in("score"), f.NPS_COUNT, f.SURVEYS_ANSWERED),
        unit="score",
        direction="up",
    ),
    Kpi(
        id="survey_response_rate",
        en="survey response rate",
        ja="アンケート回答率",
        meaning_en="Survey answers per invitation.",
        meaning_ja="アンケートの依頼に対する回答の割合。",
        formula=Ratio(f.SURVEYS_ANSWERED, f.SURVEYS_INVITED),
        unit="ratio",
        direction="up",
        metric="contact_center_survey_response_ratio",
    ),
)
