"""The build of the static files."""

import re

import pytest

from hwbc.kit import assets


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    out = tmp_path_factory.mktemp("build") / "assets"
    assets.build(out)
    return out


def test_style_sheets_refer_to_nothing_but_the_images_beside_them(built):
    for name in assets.STYLESHEETS:
        css = (built / "css" / f"{name}.css").read_text()
        urls = set(re.findall(r"url\([\"']?([^\"')]+)", css))
        assert urls, "the pattern finds nothing"
        assert all((built / "css" / url).is_file() for url in urls)
        assert "@import" not in css
        assert "Frutiger" not in css
        assert "sourceMappingURL" not in css


def test_the_brand_is_the_difference_between_the_two(built):
    neutral, nhs = ((built / "css" / f"{name}.css").read_text() for name in assets.STYLESHEETS)
    header = re.compile(r"\.nhsuk-header\{[^}]*background-color:([^;}]+)")
    assert [header.search(css)[1] for css in (neutral, nhs)] == ["#00585c", "#005eb8"]  # type: ignore[index]


def test_a_typeface_is_set(built):
    assert re.search(r"html\{font-family:arial", (built / "css" / "hwbc.css").read_text())


def test_every_import_of_our_script_is_there(built):
    ours = (assets.SOURCES / "js" / "hwbc.js").read_text()
    imported = re.findall(r'from "\./([^"]+)"', ours)
    assert imported == [assets.SCRIPT]
    theirs = (built / "js" / assets.SCRIPT).read_text()
    assert re.search(r"export\{[^}]*\binitAll\b", theirs)
    assert "sourceMappingURL" not in theirs


def test_a_reference_to_somewhere_else_stops_the_build(tmp_path):
    (tmp_path / "css").mkdir()
    (tmp_path / "css" / "a.css").write_text("a{background:url(https://example.org/x.svg)}")
    with pytest.raises(ValueError, match=r"refers to https://example\.org/x\.svg"):
        assets.copy_images(tmp_path)
