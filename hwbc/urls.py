"""Every address of the service. A page that is missing in tests/pages.py fails the build."""

from allauth.account import views as account
from django.urls import path, re_path

from hwbc import views
from hwbc.compliance.views import (
    access,
    another_day,
    caseload,
    coach,
    coaches,
    counting,
    flags,
    home,
    notifications,
    overview,
    status,
)
from hwbc.compliance.views.recording import meetings
from hwbc.kit.views import components
from hwbc.workforce.access import signed_in

urlpatterns = [
    path("", home.home, name="home"),
    path("coaches", coaches.coaches, name="coaches"),
    path("coaches/export", coaches.export, name="coaches_export"),
    path("coaches/<uuid:uuid>", coach.standing, name="coach"),
    path("coaches/<uuid:uuid>/supervision", coach.supervision, name="coach_supervision"),
    path("coaches/<uuid:uuid>/training", coach.training, name="coach_training"),
    path("coaches/<uuid:uuid>/employment", coach.employment, name="coach_employment"),
    path("coaches/<uuid:uuid>/caseload", coach.caseload, name="coach_caseload"),
    path("coaches/<uuid:uuid>/history", coach.history, name="coach_history"),
    path("coaches/<uuid:uuid>/meetings/new", meetings.new, name="meeting_new"),
    path("supervision/meetings/new", meetings.new_for_some, name="meetings_new"),
    path("meetings/<uuid:uuid>/correct", meetings.correct, name="meeting_correct"),
    path("meetings/<uuid:uuid>/withdraw", meetings.withdraw, name="meeting_withdraw"),
    path("flags", flags.flags, name="flags"),
    path("flags/<uuid:uuid>", flags.flag, name="flag"),
    path("pcns", overview.overview, name="overview"),
    path("how-we-count", counting.how_we_count, name="how_we_count"),
    path("another-day", another_day.another_day, name="another_day"),
    path("caseload", caseload.my_caseload, name="caseload"),
    path("referrals/<uuid:uuid>", caseload.referral, name="referral"),
    path("referrals/<uuid:uuid>/close", caseload.close, name="referral_close"),
    path("referrals/<uuid:uuid>/hand-back", caseload.hand_back, name="referral_hand_back"),
    path("referrals/<uuid:uuid>/sessions/new", caseload.log_session, name="session_log"),
    path("referrals/<uuid:uuid>/sessions/<uuid:session>/correct", caseload.correct_session, name="session_correct"),
    path("referrals/<uuid:uuid>/sessions/<uuid:session>/withdraw", caseload.withdraw_session, name="session_withdraw"),
    path("access", access.people, name="access"),
    path("access/invite", access.invite, name="access_invite"),
    path("access/<uuid:uuid>/end", access.end, name="access_end"),
    path("notifications", notifications.all_of_them, name="notifications"),
    path("notifications/<uuid:uuid>/read", notifications.read, name="notification_read"),
    path("service-status", status.status, name="status"),
    path("components", signed_in(components), name="components"),
    path("health/live", views.live, name="health_live"),
    path("health/ready", views.ready, name="health_ready"),
    # allauth's own pages, one by one: nothing that it adds later opens by itself.
    path("account/sign-in", account.login, name="account_login"),
    path("account/sign-out", account.logout, name="account_logout"),
    path("account/closed", account.account_inactive, name="account_inactive"),
    path("account/confirm", account.reauthenticate, name="account_reauthenticate"),
    path("account/password", account.password_change, name="account_change_password"),
    path("account/password/forgotten", account.password_reset, name="account_reset_password"),
    path("account/password/forgotten/sent", account.password_reset_done, name="account_reset_password_done"),
    re_path(
        r"^account/password/choose/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)$",
        account.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path("account/password/chosen", account.password_reset_from_key_done, name="account_reset_password_from_key_done"),
]

handler500 = "hwbc.views.server_error"
