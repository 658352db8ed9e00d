import resource, time
from pathlib import Path
import pytest
from django.db import connection
from django.core.management import call_command
from hwbc.compliance.importing import reading, actions, staging, checks
@pytest.mark.django_db
def test_it(tmp_path, monkeypatch):
    rss=lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss//1024
    print("before", rss())
    t=time.time(); book=reading.read(Path("/tmp/try/b.xlsx")); print("read only", time.time()-t, book.size, book.faults.count, rss())
    def timed(mod, name):
        f=getattr(mod,name)
        def g(*a,**k):
            t=time.time()
            try: return f(*a,**k)
            finally: print("   ",name,round(time.time()-t,2), str(a[0])[:50])
        monkeypatch.setattr(mod,name,g)
    timed(actions,"stage"); timed(actions,"check"); timed(actions,"_write"); timed(actions, "_count")
    import hwbc.workforce.audit as au; timed2=au._check_constraints
    def cc():
        t=time.time(); timed2(); print("    constraints", round(time.time()-t,2))
    monkeypatch.setattr(au,"_check_constraints",cc)
    oe=actions.execute
    def ex(s,p):
        t=time.time(); r=oe(s,p)
        if time.time()-t>.15: print("      ",round(time.time()-t,2)," ".join(s.split())[:100])
        return r
    monkeypatch.setattr(actions,"execute",ex)
    oc=checks.execute
    def ec(s,p):
        t=time.time(); r=oc(s,p)
        if time.time()-t>.05: print("      ",round(time.time()-t,2)," ".join(s.split())[:100])
        return r
    monkeypatch.setattr(checks,"execute",ec)
    for _ in range(2):
        t=time.time(); call_command("import_workbook", "/tmp/try/b.xlsx"); print("all", time.time()-t, rss())
