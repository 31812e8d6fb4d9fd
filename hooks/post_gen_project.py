"""Turn the copied template into the project: keep what was chosen, name the package, start git."""

import json
import os
import re
import shlex
import shutil
import subprocess
from functools import partial
from pathlib import Path

ANSWERS = json.loads(r"""{{ cookiecutter | tojson }}""")
CHOSEN, PACKAGE, ROWS = (ANSWERS[key] for key in ("use_case", "package_name", "_use_cases"))
PARTS = ANSWERS["_parts"] | ANSWERS["_options"]
USED = {*ROWS[CHOSEN]["parts"], *(f"{name}={answer}" for name, answer in ANSWERS.items())}
UNUSED = {path for part in PARTS.keys() - USED for path in PARTS[part]}
CACHES = ("__pycache__", ".*_cache", ".hypothesis", ".ipynb_checkpoints")
git = partial(subprocess.run, check=False, capture_output=True, text=True)


def project_paths() -> list[Path]:
    """Return every path of the project but git's, the contents of a folder before the folder."""
    return [path for path in sorted(Path().rglob("*"), reverse=True) if ".git" not in path.parts]


# Remove caches, other use cases, and what this one does not use, with its tests.
for path in project_paths():
    module = re.sub(r"^(src/project_package|tests)/|\btest_|\.py$", "", path.as_posix())
    is_cache = any(path.match(cache) for cache in CACHES)
    if is_cache or module in UNUSED or ({*ROWS} - {CHOSEN}) & {*path.name.split(".")}:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    elif CHOSEN in path.name.split(".")[1:-1]:  # params.fraud.toml becomes params.toml
        path.replace(path.with_name(path.name.replace(f".{CHOSEN}.", ".")))

# Find the commit of the template, from cruft or git; changed files make it end in -dirty.
folder = Path(os.environ.get("PWD", ""), ANSWERS.get("_repo_dir", ""))
describe = ["git", "-C", folder, "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty"]
head = git(describe).stdout.strip() if shutil.which("git") and (folder / ".git").exists() else ""
commit = f'commit = "{ANSWERS.get("_commit", head)}"'.encode()

# Name the package, in its folder and in every text. U+2060 marks the name in an answer: that stays.
Path("src/project_package").rename(f"src/{PACKAGE}")
for path in filter(Path.is_file, project_paths()):
    text = path.read_bytes()
    named = re.sub(rb"\bproject_package\b", PACKAGE.encode(), text).replace(b"\xe2\x81\xa0", b"")
    named = named.replace(b'commit = ""', commit) if path.name == "pyproject.toml" else named
    if named != text and b"\0" not in text:  # which an image would have
        path.write_bytes(named)
Path("licenses", ANSWERS["license"]).replace("LICENSE")
shutil.rmtree("licenses")

# A repository is not nested in one that does not ignore the folder. No commit: it needs an author.
print(f"\nYour project is in {Path.cwd()}.")
steps = [f"cd {shlex.quote(str(Path.cwd()))}", "make install", "make pipeline", "make serve"]
if shutil.which("git"):
    outside = git(["git", "rev-parse", "--is-inside-work-tree"]).stdout != "true\n"
    if outside or git(["git", "check-ignore", "--quiet", "."]).returncode == 0:
        git(["git", "init", "--initial-branch=main"])
    elif not Path(".git").exists():
        print("It is in a git repository already, so it has none of its own.")
    steps.insert(2, 'git add . && git commit --quiet --message "Start the project" .')
    print("Next, install it, commit it (a model records the commit of its code), train and serve:")
else:
    print("git is missing, so models will not record the version of the code. Next:")
print(*(f"  {step}" for step in steps), "Then open http://127.0.0.1:8000.", sep="\n")
