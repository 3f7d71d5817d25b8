"""Numbers as people read them."""

import math

# Digits of a number that is no count; a double has no more than 17.
FEW, ALL = 4, 17


def figure(value: float, *beside: float | None) -> str:
    """A number without an exponent: a count in full, else four digits, or as many as it takes.

    What is shown lies on the same side of each number in `beside`, and of 0 and 1, as the value itself: a
    share that is not zero, or just over its bound, looks so. A number beside itself is shown exactly.
    """
    if isinstance(value, int):
        return f"{value:,}"
    marks = [0.0, 1.0, *(mark for mark in beside if mark is not None)]
    shown = (with_digits(value, digits) for digits in range(FEW, ALL + 1))
    return next((one for one in shown if same_sides(value, one, marks)), str(value))


def with_digits(value: float, digits: int) -> str:
    """A number with so many digits in all, no zeros at its end and thousands apart."""
    if not value or not math.isfinite(value):
        return f"{value:g}"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def same_sides(value: float, shown: str, marks: list[float]) -> bool:
    """Whether a number as shown is less than, equal to or more than each mark, as the value is."""
    read = float(shown.replace(",", ""))
    return all((read < mark, read > mark) == (value < mark, value > mark) for mark in marks)
