"""Lessons: how a number comes about, step by step, in the library's own numbers."""

from coterie.lessons.lesson import Lesson, MeasureLesson, Step, WhatIf, lesson

__all__ = ["Lesson", "MeasureLesson", "Step", "WhatIf", "lesson"]
