"""The table and the file of a run."""

import json
import os
import platform
import re
import subprocess
import time

from .rows import MAIN


class Results:
    """Samples by row, metric and entrant, with what could not be measured and why."""

    def __init__(self):
        self.samples, self.notes = {}, {}

    def add(self, row, entrant, sample):
        for key, value in sample.items():
            values = self.samples.setdefault(row.key, {}).setdefault(key, {})
            values.setdefault(entrant, []).append(value)

    def note(self, row, text):
        notes = self.notes.setdefault(row.key, [])
        if text not in notes:
            notes.append(text)

    def best(self, row, metric):
        """The best of the rounds of every entrant: noise only ever adds. Where the origin itself was
        measured too, what it takes is not the proxy's."""
        if metric.of:
            figures = {each.key: self.best(row, each) for each in row.metrics if not each.of}
            over, under = (figures[key] for key in metric.of)
            return {entrant: over[entrant] / under[entrant] for entrant in over}
        values = self.samples.get(row.key, {}).get(metric.key, {})
        best = {entrant: metric.best(rounds) for entrant, rounds in values.items()}
        alone = best.pop("direct", 0)
        return {entrant: max(0, value - alone) for entrant, value in best.items()}


def ratio(best, metric):
    """Passeur's figure over the best peer's, that peer, or nothing."""
    peers = {name: value for name, value in best.items() if name != "passeur"}
    if not peers:
        return None, None
    name = (max if metric.higher else min)(peers, key=peers.get)
    mine = best.get("passeur")
    return (mine / peers[name] if mine is not None and peers[name] else None), name


def verdict(best, share, metric):
    """The bar of a figure and whether it is reached."""
    mine = best.get("passeur")
    if metric.absolute is not None:
        bar, seen = f"≤ {metric.absolute:g}", mine
        reached = mine is not None and mine <= metric.absolute
    elif metric.bar is not None:
        bar, seen = f"≤ {metric.bar:g} × {metric.against or 'best'}", share
        if metric.against:
            other = best.get(metric.against)
            seen = mine / other if mine is not None and other else None
        reached = seen is not None and seen <= metric.bar
    else:
        return ""
    return bar if seen is None else f"{bar} {'reached' if reached else 'MISSED'}"


def table(rows, results):
    """All rows as text, a line per figure."""
    head = ["row", "figure", *MAIN, "best peer", "ratio", "to reach"]
    lines, notes = [head], []
    for row in rows:
        title = row.title
        for metric in row.metrics:
            best = results.best(row, metric)
            if not best:
                continue
            share, peer = ratio(best, metric)
            show = lambda value: "–" if value is None else f"{value:,.{metric.digits}f}"
            lines.append([title, metric.label, *(show(best.get(name)) for name in MAIN), peer or "–",
                          "–" if share is None else f"{share:.2f}", verdict(best, share, metric)])
            title = ""
            also = [f"{name} {show(best[name])}" for name in best if name not in MAIN]
            if also:
                notes.append(f"{row.title}, {metric.label}: also {', '.join(also)}")
        notes += [f"{row.title}: {text}" for text in results.notes.get(row.key, [])]
    widths = [max(len(line[n]) for line in lines) for n in range(len(head))]
    text = []
    for line in lines:
        cells = [cell.ljust(w) if n < 2 else cell.rjust(w) if n < 8 else cell
                 for n, (cell, w) in enumerate(zip(line, widths))]
        text.append("  ".join(cells).rstrip())
    text.insert(1, "-" * len(text[0]))
    return "\n".join([*text, "", *notes])


def document(rows, results, about):
    """The run as it is written to `benches/results/`."""
    out = {**about, "rows": {}}
    for row in rows:
        figures = {}
        for metric in row.metrics:
            best = results.best(row, metric)
            if not best:
                continue
            share, peer = ratio(best, metric)
            figures[metric.key] = {
                "figure": metric.label,
                "best": {name: round(value, 4) for name, value in best.items()},
                "rounds": {name: [round(value, 4) for value in values]
                           for name, values in results.samples[row.key].get(metric.key, {}).items()},
                "best_peer": peer,
                "ratio": None if share is None else round(share, 4),
            }
        out["rows"][row.key] = {
            "title": row.title, "figures": figures, "notes": results.notes.get(row.key, [])}
    return out


def about(bench, peers, quick, root):
    """What ran where."""
    with open("/proc/cpuinfo") as file:
        model = re.search(r"model name\s*: (.*)", file.read())
    git = subprocess.run(["git", "-C", root, "describe", "--always", "--dirty"],
                         capture_output=True, text=True, timeout=10)
    return {
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": git.stdout.strip(), "quick": quick,
        "versions": {peer.name: peer.version for peer in peers.values()},
        "machine": {"cpu": model[1] if model else "?", "kernel": platform.release(),
                    "cores": os.cpu_count(), "proxy_cores": sorted(bench.proxy_cpus),
                    "load_cores": sorted(bench.load_cpus), "load_average": os.getloadavg()},
    }


def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        json.dump(content, file, indent=1, ensure_ascii=False)
        file.write("\n")
