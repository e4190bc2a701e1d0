"""The litmus suites, run twice: straight at the origin, and through Passeur.

Origins fail some tests of their own. What is judged is therefore that each single test ends the same
way, with the same words, both times.
"""

import os
import re
import subprocess

from peers import FOLDER, expect, fail, found

SUITES = ("basic", "copymove", "props", "locks", "http")
RESULT = re.compile(r"^\s*(\d+)\. (\w+)\.+ (pass|FAIL|SKIPPED|XFAIL)\b(.*)$")
MESSAGE = re.compile(r"^\s+\.*\s*(WARNING: .*)$")
SUMMARY = re.compile(r"summary for `(\w+)': of (\d+) tests run: (\d+) passed")


def run(url, name, account):
    """Runs all suites; `[(suite, number, test, outcome, words)]` and `{suite: (passed, run)}`."""
    folder = FOLDER / f"litmus-{name}"
    folder.mkdir()
    done = subprocess.run(
        ["litmus", "--keep-going", url, *account],
        cwd=folder,
        env={**os.environ, "TESTS": " ".join(SUITES)},
        capture_output=True,
        text=True,
        timeout=200,
    )
    # Progress is drawn over with carriage returns.
    text = done.stdout.replace("\r", "\n")
    print(f"== litmus {name} {url}\n{text}{done.stderr}", flush=True)
    return _outcomes(text), _counts(text)


def _outcomes(text):
    outcomes, suite = [], None
    for line in text.splitlines():
        if opened := re.match(r"-> running `(\w+)'", line):
            suite = opened[1]
        elif result := RESULT.match(line):
            number, test, outcome, words = result.groups()
            outcomes.append((suite, int(number), test, outcome, _plain(words)))
        elif warning := MESSAGE.match(line):
            outcomes.append((suite, None, None, "WARNING", _plain(warning[1])))
    return outcomes


def _plain(words):
    """Without what differs from run to run: ports and lock tokens."""
    words = re.sub(r"127\.0\.0\.1:\d+", "ORIGIN", words.strip())
    return re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "TOKEN", words)


def _counts(text):
    return {suite: (int(passed), int(ran)) for suite, ran, passed in SUMMARY.findall(text)}


def without_fragments(outcomes):
    """Without the test that sends a target with `#`: Passeur refuses it, as the test wants, also where
    the origin itself deletes what stands before the `#` (with a warning of litmus)."""
    return [outcome for outcome in outcomes if outcome[2] != "delete_fragment"
            and "Request-URI including fragment" not in outcome[4]]  # fmt: skip


def compare(direct_url, proxied_url, account=()):
    """Both runs, and the judgement."""
    direct, counts = run(direct_url, "direct", account)
    proxied, proxied_counts = run(proxied_url, "proxied", account)
    expect(set(counts) == set(SUITES), f"litmus itself ran only {sorted(counts)}")
    refused = ("basic", 9, "delete_fragment", "pass", "")
    expect(refused in proxied, "a target with a fragment was not refused")
    tests = [outcome for outcome in direct if outcome[1] is not None]
    expect(sum(ran for _, ran in counts.values()) >= 60, f"too few tests ran: {counts}")
    direct, proxied = without_fragments(direct), without_fragments(proxied)
    different = sorted(set(direct) ^ set(proxied), key=str)
    for outcome in different:
        print(("direct only:  " if outcome in direct else "proxied only: ") + str(outcome))
    if different or direct != proxied or counts != proxied_counts:
        fail(f"litmus differs: {counts} directly, {proxied_counts} through Passeur")
    failing = [f"{suite} {number}" for suite, number, _, outcome, _ in tests if outcome == "FAIL"]
    summary = ", ".join(f"{suite} {counts[suite][0]}/{counts[suite][1]}" for suite in SUITES)
    found(f"both {summary}" + (f" (failing {', '.join(failing)})" if failing else ""))
