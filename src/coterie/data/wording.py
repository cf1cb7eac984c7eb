"""Numbers of things in words."""


def counted(n: int, noun: str) -> str:
    """``1 rating``, ``1,234 ratings``."""
    return f"{n:,} {noun}" + ("" if n == 1 else "s")
