"""Compiles the style sheets and collects what is needed of NHS.UK frontend: `python -m hwbc.kit.assets`.

`make setup` runs it before `collectstatic`. The result lies in `.build/assets/`; nothing of it is in git. NODE names
the Node.js to use, where it is not `node`.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "static"
FRONTEND = ROOT / "node_modules" / "nhsuk-frontend" / "dist" / "nhsuk"
OUT = ROOT / ".build" / "assets"

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


def build(out: Path = OUT) -> None:
    """Everything anew, in a folder beside `out` that then takes its place."""
    fresh = out.with_name(f"{out.name}-new")
    shutil.rmtree(fresh, ignore_errors=True)
    compile_styles(fresh)
    copy_script(fresh)
    copy_images(fresh)
    shutil.rmtree(out, ignore_errors=True)
    fresh.rename(out)


if __name__ == "__main__":
    if not FRONTEND.is_dir():
        sys.exit("NHS.UK frontend is not installed. Run `make setup`, or `npm ci --ignore-scripts`.")
    build()
