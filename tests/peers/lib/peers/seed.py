"""The tree that two copies of an origin start from, so that both see the same state."""

import os
import random

# What goes wrong in URLs: reserved, escaped, beyond ASCII, beyond the BMP, blanks, dots.
NAMES = [
    "plain.txt", "per%cent.txt", "per%25cent.txt", "plus+.txt", "semi;colon.txt", "ha#sh.txt",
    "quest?ion.txt", "amp&ersand.txt", "é.txt", "e\u0301.txt", "日本.txt", "😀.txt", "two words.txt",
    "trailing.", "comma,.txt", "colon:.txt", "at@.txt", "equals=.txt", "quote'.txt", 'double".txt',
    "tilde~.txt", "brackets[1].txt", "braces{1}.txt", "caret^.txt", "back`tick.txt", "pipe|.txt",
    "dollar$.txt", "(parens)!.txt", "star*.txt", "less<greater>.txt", "..hidden", "back\\slash.txt",
]  # fmt: skip
OLD = 1_600_000_000


def make(folder):
    """Makes the tree below `folder`; every time exactly the same, times included."""
    chance = random.Random(1)
    (folder / "odd").mkdir(parents=True)
    for name in NAMES:
        (folder / "odd" / name).write_text(f"this is {name}\n")
    (folder / "deep/er/still").mkdir(parents=True)
    (folder / "deep/er/still/leaf.txt").write_text("leaf\n")
    (folder / "empty").mkdir()
    (folder / "many").mkdir()
    for index in range(200):
        (folder / "many" / f"file {index:03}.txt").write_text(f"{index}\n")
    (folder / "zero.bin").write_bytes(b"")
    (folder / "small.txt").write_text("0123456789abcdefghijklmnopqrstuvwxyz\n")
    (folder / "page.html").write_text("<!doctype html><title>page</title><p>é\n")
    (folder / "big.bin").write_bytes(chance.randbytes(3 << 20))
    paths = sorted(folder.rglob("*"), reverse=True)
    for index, path in enumerate([*paths, folder]):
        os.utime(path, (OLD + index, OLD + index))
    return folder
