import pytest
from tests import facts
from hwbc.compliance.checks import run_checks
from tests.cast import SETUP
from hwbc.kit.periods import today
from hwbc.workforce import walls
from hwbc.standards.models import Flag
pytestmark = pytest.mark.browser
def test_try(window, live_cast):
    facts.everything(live_cast, 8); facts.story_of(live_cast)
    run_checks(SETUP, today())
    with walls.lifted("tests"):
        f=Flag.objects.filter(coach=live_cast.coach_bo).first().uuid
    for w in (1280,320):
        for who in ("mo","lee","sam","asha","zed"):
            x=window(w); x.sign_in(getattr(live_cast,who)); x.page.goto("/")
            x.page.screenshot(path=f"/tmp/shots/home-{who}-{w}.png", full_page=True)
            print(who,w,x.overflow(),x.axe())
        x=window(w); x.sign_in(live_cast.mo)
        for name,u in (("flags","/flags"),("flag",f"/flags/{f}"),("past","/?as-at=2026-03-31&known-at=2026-04-02T09:00"),("bad","/?as-at=foo")):
            x.page.goto(u); x.page.screenshot(path=f"/tmp/shots/{name}-{w}.png", full_page=True)
            print(name,w,x.overflow(),x.axe())
