"""What `soak.sh` sampled: whether it is flat, whether every attempt is accounted for, and the plot.

soak.py SAMPLES PLOT RUN...    a RUN is the folder of a run; its name above is what SAMPLES call it
"""

import csv
import json
import pathlib
import sys

# What each test of the suite `ends` is, whatever the kernel.
TRUTH = {
    "ends::clean": "good",
    "ends::reports-the-symptom": "bad",
    "ends::crashes": "other",
    "ends::crashes-as-described": "bad",
    "ends::too-few-rounds": "blind",
    "ends::powers-off": "blind",
}

# What is sampled: its column, unit, divisor, and by how much it may grow in the second half whatever it is then. Folders are sampled
# while guests come and go in them, a runner's memory while attempts are judged.
FIGURES = [
    ("rss_kib", "memory of the runner", "MiB", 1024, 1.0),
    ("descriptors", "descriptors of the runner", "", 1, 2.0),
    ("scratch_entries", "entries of the scratch folder", "", 1, 2.0),
    ("scratch_bytes", "size of the scratch folder", "MiB", 1 << 20, 1.0),
    ("snapshot_entries", "entries of the snapshot folder", "", 1, 2.0),
    ("snapshot_bytes", "size of the snapshot folder", "MiB", 1 << 20, 1.0),
]

# Growth over the second half that is none, as a part of the mean.
FLAT = 0.05


def slope(points):
    """Least squares: by how much the values grow in a second."""
    n = len(points)
    mean_x = sum(x for x, _ in points) / n
    mean_y = sum(y for _, y in points) / n
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


def growth(points):
    """The mean of the second half, and by how much the values grow from its beginning to its end."""
    last = points[-1][0]
    half = [point for point in points if point[0] >= last / 2]
    return sum(y for _, y in half) / len(half), slope(half) * (half[-1][0] - half[0][0])


def accounted(run):
    """Attempts of a run: begun, with a result, begun and without one, with a verdict that is wrong."""
    begun, ended, wrong = [], [], []
    with open(run / "journal.jsonl", encoding="utf-8") as journal:
        for line in journal:
            event = json.loads(line)
            if event["event"] not in ("attempt-started", "attempt"):
                continue
            key = (event["test"], event["kernel"], event["attempt"])
            (begun if event["event"] == "attempt-started" else ended).append(key)
            if event["event"] == "attempt" and event["verdict"] != TRUTH[event["test"]]:
                wrong.append((*key, event["verdict"], event.get("reason") or event.get("title")))
    twice = len(begun) - len(set(begun)) + len(ended) - len(set(ended))
    return begun, ended, sorted(set(begun) ^ set(ended)), twice, wrong


def plot(samples, path):
    """The figures over time, a panel each, as SVG."""
    width, height, left, gap = 720, 120, 70, 46
    colours = {"restored": "#1f6fb2", "booted": "#c2571a"}
    end = max(x for figure in samples.values() for points in figure.values() for x, _ in points)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width + left + 20} {len(FIGURES) * (height + gap) + 30}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for row, (column, title, unit, by, _) in enumerate(FIGURES):
        top = row * (height + gap) + 30
        most = max((y / by for points in samples[column].values() for _, y in points), default=0) * 1.1 or 1
        out.append(f'<text x="{left}" y="{top - 8}">{title}{", " + unit if unit else ""}</text>')
        out.append(f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="none" stroke="#999"/>')
        out.append(f'<text x="{left - 6}" y="{top + 10}" text-anchor="end">{most:.3g}</text>')
        out.append(f'<text x="{left - 6}" y="{top + height}" text-anchor="end">0</text>')
        out.append(f'<text x="{left + width}" y="{top + height + 14}" text-anchor="end">{end / 60:.0f} min</text>')
        for place, (run, points) in enumerate(samples[column].items()):
            line = " ".join(
                f"{left + x / end * width:.1f},{top + height - y / by / most * height:.1f}" for x, y in points
            )
            colour = colours.get(run, "#555")
            out.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
            if row == 0:
                at = left + width - 80 * (place + 1)
                out.append(f'<text x="{at}" y="{top - 8}" fill="{colour}">{run}</text>')
    out.append("</svg>")
    path.write_text("\n".join(out) + "\n", encoding="utf-8")


def main():
    source, picture, *runs = map(pathlib.Path, sys.argv[1:])
    samples = {column: {} for column, *_ in FIGURES}
    with open(source, encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            for column, *_ in FIGURES:
                points = samples[column].setdefault(row["run"], [])
                points.append((float(row["seconds"]), float(row[column] or 0)))
    failed = False
    for run in runs:
        begun, ended, missing, twice, wrong = accounted(run)
        name = run.parent.name
        print(
            f"{name}: {len(begun)} attempts begun, {len(ended)} with a result, {len(missing)} not accounted for, "
            f"{twice} twice, {len(wrong)} with a wrong verdict"
        )
        for text in missing + wrong:
            print("   ", *text)
        # the plan of a run of so many minutes is what it began
        failed |= bool(missing or twice or wrong or not begun)
    for column, title, unit, by, least in FIGURES:
        for run, points in samples[column].items():
            if len(points) < 4:
                print(f"{title}, {run}: only {len(points)} samples")
                failed = True
                continue
            mean, grown = (value / by for value in growth(points))
            is_flat = abs(grown) <= max(least, FLAT * mean) or grown < 0
            failed |= not is_flat
            most = max(y for _, y in points) / by
            word = "flat" if is_flat else "NOT FLAT"
            unit_word = f" {unit}" if unit else ""
            print(
                f"{title}, {run}: {mean:.1f}{unit_word} in the second half, at most {most:.1f}, "
                f"{grown:+.2f} from its beginning to its end: {word}"
            )
    plot(samples, picture)
    return failed


if __name__ == "__main__":
    sys.exit(main())
