#!/usr/bin/env python3
"""What ptxas, CUDA's assembler, gives each kernel: registers, stack, spills, static shared memory.

scripts/ptxas_report.py [BUILD_FOLDER]

Compiles the kernels again as BUILD_FOLDER (build/release) is configured to, for its architectures,
without touching what is built there, and writes BUILD_FOLDER/ptxas.md. A minute or two for each
architecture on 2 cores. Dynamic shared memory is the launch's, and not in the table.
"""
import concurrent.futures
import datetime
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

COLUMNS = ["registers", "stack", "spill stores", "spill loads", "shared"]


def commands(build):
    """(source, command) of every kernel's compilation by nvcc."""
    for entry in json.loads((build / "compile_commands.json").read_text()):
        words = shlex.split(entry["command"])
        if "-x" in words and words[words.index("-x") + 1] == "cu":
            yield pathlib.Path(entry["file"]), words


def output_of(source_and_words):
    """ptxas's messages about a source's kernels; its host code is left out."""
    _, words = source_and_words
    with tempfile.TemporaryDirectory() as folder:
        words = [word for word in words if "--warn-on-spills" not in word]  # the table shows them
        words[words.index("-o") + 1] = os.path.join(folder, "kernels.fatbin")
        words[words.index("-c")] = "-fatbin"
        done = subprocess.run(words + ["--resource-usage"], capture_output=True, text=True)
    text = done.stdout + done.stderr
    if done.returncode:
        sys.exit("\n".join(line for line in text.splitlines() if "ptxas info" not in line))
    return text


def kernels_of(text):
    """{(mangled name, architecture): figures by column} in ptxas's messages."""
    found = {}
    for line in text.splitlines():
        if begin := re.search(r"Compiling entry function '(\S+)' for '(\S+)'", line):
            figures = found[begin.group(1), begin.group(2)] = dict.fromkeys(COLUMNS, 0)
        elif "bytes stack frame" in line:
            figures.update(zip(COLUMNS[1:4], map(int, re.findall(r"(\d+) bytes", line))))
        elif used := re.search(r"Used (\d+) registers", line):
            figures["registers"] = int(used.group(1))
            if shared := re.search(r"(\d+) bytes smem", line):
                figures["shared"] = int(shared.group(1))
    return found


def readable(mangled):
    """Kernels by name and template arguments, as the source names them."""
    names = subprocess.run(["c++filt"], input="\n".join(mangled), capture_output=True, text=True,
                           check=True).stdout.splitlines()
    short = [re.sub(r"^void |dsf::cuda::|\(anonymous namespace\)::", "", name) for name in names]
    return dict(zip(mangled, [re.sub(r"(?<=[\w>])\(.*\)$", "", name) for name in short]))


def by_number(row):
    """Orders <32> before <128>, and sm_90 before sm_120."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", row[1] + row[2])]


def main():
    if len(sys.argv) > 2 or sys.argv[1:2] in (["--help"], ["-h"]):
        print(__doc__.strip())
        sys.exit(0 if len(sys.argv) == 2 else 2)
    build = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "build/release").resolve()
    if not (build / "compile_commands.json").exists():
        sys.exit(f"{build}: not configured (cmake --preset release)")
    sources = sorted(commands(build))
    if not sources:
        sys.exit(f"{build}: configured without nvcc, so there are no kernels for a GPU")
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        outputs = list(pool.map(output_of, sources))

    rows = []
    for (source, _), output in zip(sources, outputs):
        kernels = kernels_of(output)
        names = readable([mangled for mangled, _ in kernels])
        rows += sorted(((source.stem.removesuffix("_cuda"), names[mangled], architecture, figures)
                        for (mangled, architecture), figures in kernels.items()), key=by_number)
    version = subprocess.run([sources[0][1][0], "--version"], capture_output=True, text=True).stdout
    version = re.search(r"V([0-9.]+)", version).group(1)
    lines = ["# Resources of the kernels", "",
             f"`scripts/ptxas_report.py`, {datetime.date.today()}, nvcc {version}. Registers are a "
             "thread's, all else is bytes; shared memory is the static part.", "",
             "| source | kernel | architecture | " + " | ".join(COLUMNS) + " |",
             "|" + "---|" * (3 + len(COLUMNS))]
    for source, name, architecture, figures in rows:
        cells = [source, f"`{name}`", architecture, *(str(figures[column]) for column in COLUMNS)]
        lines.append("| " + " | ".join(cells) + " |")
    (build / "ptxas.md").write_text("\n".join(lines) + "\n")
    spilled = sum(figures["spill stores"] + figures["spill loads"] > 0 for *_, figures in rows)
    print(f"{build / 'ptxas.md'}: {len(rows)} kernels, {spilled} of them spill")


if __name__ == "__main__":
    main()
