import os
import pytest
from tests import facts
from tests.cast import CoachFactory, OrganisationFactory
from hwbc.workforce import walls
pytestmark = pytest.mark.browser
ONLY = os.environ.get("ONLY", "").split()
def test_try(window, live_cast):
    facts.everything(live_cast, 30); facts.story_of(live_cast)
    facts.everything(live_cast, 7, 1, "U99992")
    with walls.lifted("tests"):
        OrganisationFactory.create(code="U99994", name="Bramley and Woodhouse Primary Care Network", parent=live_cast.northfield)
    shots = [
        ("coaches-mo", "mo", "/coaches"),
        ("coaches-lee", "lee", "/coaches?sort=line"),
        ("coaches-asha", "asha", "/coaches"),
        ("coaches-sam", "sam", "/coaches"),
        ("coaches-filtered", "lee", "/coaches?place=U99991&state=attention&name=coach"),
        ("coaches-rule", "lee", "/coaches?rule=supervision.health_coaching&sort=state"),
        ("coaches-required", "lee", "/coaches?rule=training.required&sort=state"),
        ("coaches-named", "lee", "/coaches?rule=supervision.named&state=red"),
        ("coaches-none", "mo", "/coaches?name=zzz&state=paused"),
        ("coaches-past", "mo", "/coaches?as-at=2019-03-31"),
        ("coaches-bad", "mo", "/coaches?rule=foo&state=bar&as-at=xx"),
        ("pcns-lee", "lee", "/pcns"),
        ("pcns-mo", "mo", "/pcns"),
        ("pcns-one", "lee", "/pcns?rule=supervision.line"),
        ("pcns-past", "lee", "/pcns?as-at=2019-03-31"),
        ("pcns-bad", "lee", "/pcns?place=foo"),
        ("how-lee", "lee", "/how-we-count"),
        ("how-asha", "asha", "/how-we-count"),
    ]
    for w in (1280, 320, 900):
        for name, who, url in shots:
            if ONLY and not any(name.startswith(o) for o in ONLY): continue
            if w == 900 and name not in ("coaches-lee", "pcns-lee"): continue
            x = window(w); x.sign_in(getattr(live_cast, who)); r = x.page.goto(url)
            x.page.screenshot(path=f"/tmp/shots-C/{name}-{w}.png", full_page=True)
            print(name, w, r.status, x.overflow(), x.axe())
            x.context.close()
