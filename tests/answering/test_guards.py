"""Numbers, names and negation: what a claim may not get wrong."""

from __future__ import annotations

import pytest

from rag.answering.guards import names_agree, negation_agrees, numbers, numbers_agree


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1.07 million merchants", {1_070_000}),
        ("1,070,000 merchants", {1_070_000}),
        ("over 600,000 are factories", {600_000}),
        ("six million", {6_000_000}),
        ("twenty-one days", {21}),
        ("3-5 years", {3, 5}),
        ("one-third and one-tenth", {1, round(1 / 3, 9), 0.1}),
        ("a share of 40%", {40}),
        ("in 2024", {2024}),
        ("107万商家", {1_070_000}),
        ("5亿用户", {500_000_000}),
        ("600K users and $1.2B", {600_000, 1_200_000_000}),
        ("5 m long", {5}),
        ("half a million, a thousand", {1_000_000, 1000}),
        ("ranked tenth", {10}),
        ("the Covid19 wave and B2B", set()),
        ("no figures", set()),
    ],
)
def test_numbers_count_by_their_value(text: str, values: set[float]) -> None:
    assert set(numbers(text)) >= values
    assert len(numbers(text)) <= len(values) + 1


@pytest.mark.parametrize(
    ("claim", "text", "agree"),
    [
        ("It has 1.07 million merchants", "There are 1,070,000 merchants on it", True),
        ("It covers 3.3 million square kilometres", "It covers 1.7 million square kilometres", False),
        ("It grew for five quarters", "It grew for 5 consecutive quarters", True),
        ("It grew for five quarters", "It grew for six quarters", False),
        ("It has 6 million", "It has 1.6 million", False),
        ("It has 1 million", "It has a million", True),
        ("It grew in the second quarter", "It grew in the third quarter", False),
        ("It ranks 10th", "It ranks tenth", True),
        ("Second, it grew", "It grew", True),
        ("It was one of the first", "It was among the first", True),
        ("There is 1 harbour", "There are two harbours", False),
        ("No figure here", "Nor 12 here", True),
    ],
)
def test_a_claim_with_a_figure_that_the_text_lacks_is_refused(claim: str, text: str, agree: bool) -> None:
    assert numbers_agree(claim, text) is agree


@pytest.mark.parametrize(
    ("claim", "text", "agree"),
    [
        ("Wu Jia created Quark", "Wu Jia, who created Quark", True),
        ("Wu Yongming created Quark", "Wu Jia, who created Quark", False),
        ("Merchants on 1688 pay nothing", "AI products for 1688's merchants are free", True),
        ("DingTalk has users", "Xianyu has users", False),
        ("However, Xianyu has users", "Xianyu has users", True),
        ("In March it began", "In April it began", False),
        ("The iPhone4S sold well", "The iPhone5 sold well", False),
        ("Quark has users", "Xianyu has users", False),
        ("Jack founded it", "Eddie founded it", False),
        ("Qwen2 is out", "Qwen3 is out", False),
        ("Users are young", "Its users are young", True),
        ("Today, Xianyu has users", "Xianyu has users", True),
        ("Everyone has a boat", "All have a boat", True),
    ],
)
def test_a_claim_with_a_name_that_the_text_lacks_is_refused(claim: str, text: str, agree: bool) -> None:
    assert names_agree(claim, text) is agree


@pytest.mark.parametrize(
    ("claim", "text", "agree"),
    [
        ("It has berths", "It has berths", True),
        ("It has no berths", "It has berths", False),
        ("It doesn't have berths", "It does not have berths", True),
        ("It isn\u2019t open", "It is open", False),
        ("It is not only old but large", "It is old and large", True),
        ("No. 5 is open", "Number 5 is open", True),
        ("它没有泊位", "它有泊位", False),
        ("它非常大", "它很大", True),
        ("Neither boats nor ships pay", "Boats and ships pay", False),
        ("It did not open and does not sell", "It opened and sells", False),
        ("It grew, no doubt", "It grew", True),
    ],
)
def test_a_claim_that_denies_what_the_text_says_is_refused(claim: str, text: str, agree: bool) -> None:
    assert negation_agrees(claim, text) is agree
