"""Lessons: how a number comes about, with the numbers that the library itself computes with."""

from coterie.lessons.lesson import Lesson, MeasureLesson, Step, WhatIf, lesson

__all__ = ["Lesson", "MeasureLesson", "Step", "WhatIf", "lesson"]
