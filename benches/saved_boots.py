#!/usr/bin/env python3
"""Does it matter from which boot a guest was saved? A race that about every second attempt shows, on restored guests of several
saved boots of one kernel, the boots in turn:

    benches/saved_boots.py KREGRESS [--boots 6] [--attempts 100] [--block 10] [--kernel 6.18.15] [--rounds 24]

Each boot is saved in a cache of its own, which shares the files of the kernel with the first one. In each round every boot makes a
block of attempts of `block::elevator-switch-race` with a short dose, the order turned by one each time, so that a host that becomes
faster or slower meanwhile does so for all of them. The table has a row a boot; below it stand how likely differences as large are if
neither the boot nor the time matters, by 20,000 permutations: of the attempts between the boots within each round, and of the
rounds. Attempts that say nothing (blind, lost) or that were booted are left out and counted.

Exits with 1 where the boots differ (a chance below 5 %). Run in a clone; needs what `kregress run` needs.
"""

import argparse
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

RACE = pathlib.Path(__file__).parent / "common/race.yaml"
REST = """        echo "iterations $KREGRESS_ROUNDS" >&3
    dose: {rounds: %d, attempts: 1}
    timeout: {slow: 60s, terminate: 120s}
    symptom: {crash: {trace: ['^elevator_change_done$']}}
"""
PERMUTATIONS = 20_000


class Boots:
    """The caches, one a saved boot, and what is run on them."""

    def __init__(self, asked, folder):
        self.asked, self.folder = asked, folder
        self.suite = folder / "race.yaml"
        self.suite.write_text(RACE.read_text() + REST % asked.rounds)
        self.left_out = 0

    def cache(self, boot):
        """The cache of a boot: the first one fetches, the others link what it fetched."""
        home = self.folder / f"boot{boot}"
        if boot > 0 and not home.exists():
            home.mkdir()
            first = self.folder / "boot0"
            for shared in first.iterdir():
                if shared.name != "snapshots" and shared.is_dir():
                    subprocess.run(["cp", "-al", str(shared), str(home)], check=True)
                elif shared.is_file():
                    (home / shared.name).write_bytes(shared.read_bytes())
        return home

    def attempts(self, boot, count):
        """So many attempts on guests of a boot: 1 for each that showed the race, 0 for each that did not."""
        reports = self.folder / "reports"
        command = [str(self.asked.kregress), "run", "--exact", "bench::race", "-k", self.asked.kernel, "-j", "1"]
        command += ["-s", str(self.suite), "--stress-count", str(count), "--ignore-known", "--message-format", "json"]
        done = subprocess.run(
            command + ["-o", str(reports)],
            env=os.environ | {"KREGRESS_CACHE": str(self.cache(boot))},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if done.returncode not in (0, 100, 102):
            sys.exit(f"exit code {done.returncode}: {done.stderr[-2000:]}")
        shutil.rmtree(reports, ignore_errors=True)
        shown = []
        for line in done.stdout.splitlines():
            event = json.loads(line)
            if event["event"] != "attempt":
                continue
            record = event.get("record", event)
            if record["start"] == "restored" and record["verdict"] in ("bad", "other", "good"):
                shown.append(int(record["verdict"] != "good"))
            else:
                self.left_out += 1
        return shown


def spread(groups):
    """How far the rates of groups lie from the rate of all: the sum of squared differences, each weighted by its attempts."""
    seen, shown = sum(n for n, _ in groups), sum(s for _, s in groups)
    return sum(n * (s / n - shown / seen) ** 2 for n, s in groups if n)


def by_boot(table):
    """Attempts and those that showed the race, of each boot over all rounds."""
    return [(sum(map(len, blocks)), sum(map(sum, blocks))) for blocks in zip(*table)]


def by_round(table):
    """The same of each round over all boots."""
    return [(sum(map(len, blocks)), sum(map(sum, blocks))) for blocks in table]


def shuffled_within_rounds(table, dice):
    """The table were every attempt of a round as likely of one boot as of another."""
    out = []
    for blocks in table:
        attempts = [attempt for block in blocks for attempt in block]
        dice.shuffle(attempts)
        parts = iter(attempts)
        out.append([[next(parts) for _ in block] for block in blocks])
    return out


def shuffled_over_rounds(table, dice):
    """The table were every attempt of a boot as likely in one round as in another."""
    turned = [list(blocks) for blocks in zip(*table)]
    return [list(blocks) for blocks in zip(*shuffled_within_rounds(turned, dice))]


def chance(table, groups, shuffled):
    """How often chance alone spreads the groups as far as they are."""
    dice = random.Random(1)
    seen = spread(groups(table))
    as_far = sum(spread(groups(shuffled(table, dice))) >= seen - 1e-9 for _ in range(PERMUTATIONS))
    return (as_far + 1) / (PERMUTATIONS + 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kregress", type=pathlib.Path)
    parser.add_argument("--boots", type=int, default=6)
    parser.add_argument("--attempts", type=int, default=100)
    parser.add_argument("--block", type=int, default=10)
    parser.add_argument("--kernel", default="6.18.15")
    parser.add_argument("--rounds", type=int, default=24)
    asked = parser.parse_args()
    asked.kregress = asked.kregress.resolve()
    with tempfile.TemporaryDirectory() as folder:
        boots = Boots(asked, pathlib.Path(folder))
        for boot in range(asked.boots):
            boots.attempts(boot, 2)  # fetches, and saves the boot; its own attempts are no part of the table
        boots.left_out = 0
        table = []
        for turn in range(asked.attempts // asked.block):
            blocks = [None] * asked.boots
            for place in range(asked.boots):
                boot = (place + turn) % asked.boots
                blocks[boot] = boots.attempts(boot, asked.block)
            table.append(blocks)
            print(f"round {turn + 1}: " + ", ".join(f"{sum(b)} of {len(b)}" for b in blocks), file=sys.stderr, flush=True)
        print(f"| saved boot of {asked.kernel} | shown | rate |\n| --- | --- | --- |")
        for boot, (seen, shown) in enumerate(by_boot(table), 1):
            print(f"| {boot} | {shown} of {seen} | {shown / seen:.2f} |")
        for seen, shown in [tuple(map(sum, zip(*by_boot(table))))]:
            print(f"| all | {shown} of {seen} | {shown / seen:.2f} |")
        boot_chance = chance(table, by_boot, shuffled_within_rounds)
        print(f"\nwere all boots alike, the chance of rates as far apart would be {boot_chance:.3f}")
        print(f"were all rounds alike, it would be {chance(table, by_round, shuffled_over_rounds):.3f}")
        print(f"{boots.left_out} attempts left out")
    sys.exit(1 if boot_chance < 0.05 else 0)


if __name__ == "__main__":
    main()
