"""Makes the files of an image that holds this Python, a database driver and one program, and nothing else."""

import compileall
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

# It uses the real driver, so what it prints when the database does not answer is what the driver prints.
PROGRAM = """
import os
import time

print("shop starts", flush=True)
if host := os.environ.get("DATABASE_HOST"):
    import pg8000.native

    pg8000.native.Connection("shop", host=host, port=int(os.environ["DATABASE_PORT"]), password="none")
print("shop listens", flush=True)
time.sleep(3600)
"""
LEFT_OUT = ("test", "idlelib", "lib2to3", "tkinter", "turtledemo", "ensurepip", "site-packages", "dist-packages")
DRIVER = ("pg8000", "scramp", "asn1crypto", "*dateutil", "six")


def make(root: Path) -> None:
    """Fills a folder."""
    interpreter = Path(sys.executable).resolve()
    library = Path(sysconfig.get_path("stdlib"))
    shutil.copytree(library, root / library.relative_to("/"), ignore=left_out, symlinks=True)
    copy(interpreter, root)
    installed = Path(sysconfig.get_path("purelib"))
    for found in (found for name in DRIVER for found in installed.glob(f"{name}*")):
        if found.is_dir():
            shutil.copytree(found, root / "app" / found.name)
        else:
            shutil.copy(found, root / "app" / found.name)
    for program in [interpreter, *library.glob("lib-dynload/*.so")]:
        for needed in libraries(program):
            copy(needed, root)
    (root / "app" / "shop.py").write_text(PROGRAM)
    # What is compiled starts at once, also on a machine that is busy.
    compileall.compile_dir(root / "app", quiet=2)
    (root / "tmp").mkdir()
    (root / "python").symlink_to(interpreter)


def left_out(_folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name in LEFT_OUT or name.startswith("config-")]


def libraries(program: Path) -> list[Path]:
    """Returns the shared libraries that a program needs, with the loader."""
    told = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    return [Path(found) for found in re.findall(r"(/[^\s()]+\.so[^\s()]*)", told)]


def copy(file: Path, root: Path) -> None:
    at = root / file.relative_to("/")
    if not at.exists():
        at.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, at)
