# SPDX-License-Identifier: BSD-3-Clause
"""A benchmark's JSON by frame size and series: a datapath, and what else was varied in the same run."""
import json

# What a result may say besides, and how a series is called by it if it is not the same in all results.
VARIANTS = {"chain": "chain of {}", "ports": "{} ports", "flows": "{} flows"}


def unique(values):
    return list(dict.fromkeys(values))


class Results:
    """Names of datapaths and stages are whatever the file has; keys that are not known do not matter."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as source:
            document = json.load(source)
        results = document["results"]
        if not results:
            raise ValueError(f"{path} has no results")
        self.machine = document.get("machine", {})
        self.command = document.get("command")
        self._varied = [key for key in VARIANTS if len({result.get(key) for result in results}) > 1]
        self.cells = {(result["frame"], self._name(result)): result for result in results}
        self.frames = sorted({frame for frame, _ in self.cells})
        self.series = unique(series for _, series in self.cells)
        self.stages = unique(stage for result in results for stage in result.get("stages", {}))
        ratios = document.get("ratios", [])
        self.baselines = unique(ratio["baseline"] for ratio in ratios)
        self.ratios = {(ratio["frame"], self._name(ratio)): ratio for ratio in ratios}

    def _name(self, result):
        varied = (VARIANTS[key].format(result[key]) for key in self._varied if key in result)
        return ", ".join([result["datapath"], *varied])

    def value(self, frame, series, *keys):
        """What the cell of a frame size and a series has there, or None."""
        found = self.cells.get((frame, series))
        for key in keys:
            found = found.get(key) if found else None
        return found
