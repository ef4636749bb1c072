"""Functions that bring their own runtime: an executable `bootstrap` in the package or in a layer."""

import os

from cloudlet.runtime.function import FunctionVersion
from cloudlet.runtime.languages.launcher import EntrypointMissing, Launcher, Places, common_variables

_NAME = "bootstrap"


class Provided:
    def variables(self, launcher: Launcher, places: Places) -> dict[str, str]:
        return common_variables(path="", libraries="")

    def command(self, launcher: Launcher, function: FunctionVersion, places: Places) -> list[str]:
        folders = [(function.code, places.task)]
        if function.layers is not None:
            folders.append((function.layers, places.layers))
        for folder, seen in folders:
            if (folder / _NAME).is_file():
                if not os.access(folder / _NAME, os.X_OK):
                    raise EntrypointMissing(f"fork/exec {seen}/{_NAME}: permission denied")
                return [f"{seen}/{_NAME}"]
        raise EntrypointMissing(f"Couldn't find valid bootstrap(s): [/var/task/{_NAME} /opt/{_NAME}]")


def find(runtime: str) -> Launcher:
    return Launcher(runtime, Provided())
