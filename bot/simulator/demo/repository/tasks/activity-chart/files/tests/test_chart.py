"""The drawing of a bar chart."""

from __future__ import annotations

import unittest
from datetime import date, timedelta
from xml.etree import ElementTree

from youlab import chart
from youlab.metrics import DayCount


def days(*sessions: int) -> list[DayCount]:
    """Some days in a row with these sessions."""
    return [DayCount(date(2025, 3, 1) + timedelta(days=index), count) for index, count in enumerate(sessions)]


class ChartTest(unittest.TestCase):
    def test_bars_are_as_high_as_their_share_of_the_highest(self) -> None:
        drawing = ElementTree.fromstring(chart.bars(days(1, 0, 4), "some"))
        heights = [float(bar.attrib["height"]) for bar in drawing.findall("rect")]
        self.assertEqual(heights, [chart.HEIGHT / 4, chart.HEIGHT])
        feet = [float(bar.attrib["y"]) + float(bar.attrib["height"]) for bar in drawing.findall("rect")]
        self.assertEqual(feet, [chart.HEIGHT, chart.HEIGHT])

    def test_bars_stay_inside_the_drawing(self) -> None:
        drawing = ElementTree.fromstring(chart.bars(days(*range(1, 91)), "many"))
        ends = [float(bar.attrib["x"]) + float(bar.attrib["width"]) for bar in drawing.findall("rect")]
        self.assertEqual(len(ends), 90)
        self.assertLessEqual(max(ends), chart.WIDTH)

    def test_empty_days_draw_no_bar(self) -> None:
        for nothing in (days(0, 0), days()):
            self.assertEqual(ElementTree.fromstring(chart.bars(nothing, "none")).findall("rect"), [])

    def test_each_bar_says_its_day(self) -> None:
        self.assertIn("<title>1 March: 1 session</title>", chart.bars(days(1, 2), "some"))
        self.assertIn("<title>2 March: 2 sessions</title>", chart.bars(days(1, 2), "some"))

    def test_the_label_is_escaped(self) -> None:
        self.assertIn('aria-label="&lt;&quot;&gt;"', chart.bars(days(1), '<">'))
