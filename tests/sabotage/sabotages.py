"""The sabotages: what is broken, how, and the test that notices. Texts are short and stand once in their file."""

from tests.sabotage.kinds import Edit, Sabotage, Sql

_ACCESS = "hwbc/workforce/access.py"
_AUDIT = "hwbc/workforce/audit.py"
_WALLS = "hwbc/workforce/walls.py"
_REACH = "hwbc/workforce/queries.py"
_TEST_ACCESS = "tests/workforce/test_access.py::"
_TEST_WALLS = "tests/workforce/test_walls.py::"
_PAGES = "tests/test_pages.py::"
_WITHIN = _TEST_WALLS + "test_within_a_scope_the_database_shows_that_scope_and_no_more"
_NOTES = "tests/coaching/test_notes.py::"
_CARE = "tests/test_constraints.py::test_patients_are_shown_to_those_who_care_and_not_to_the_hub"
_BY_ITSELF = "tests/test_rows.py::test_the_database_by_itself_shows_no_row_of_another_pcn"
_FOR_ACTOR = "tests/test_rows.py::test_for_actor_by_itself_gives_no_row_of_another_pcn"
_OPENS = _PAGES + "test_a_role_opens_what_it_is_allowed_and_nothing_else"

# --- The walls: the database by itself --------------------------------------------------------------------------------

WALLS = [
    Sabotage(
        "wall of coaches dropped",
        "a table seen by coach has no policy for the application",
        (Sql("drop policy wall on workforce_coach"),),
        _WITHIN,
    ),
    Sabotage(
        "wall of posts open",
        "a table seen by coach shows every row",
        (Sql("alter policy wall on workforce_post using (true)"),),
        _WITHIN,
    ),
    Sabotage(
        "wall of posts takes all",
        "a table seen by coach takes rows of every coach",
        (Sql("alter policy wall on workforce_post with check (true)"),),
        _TEST_WALLS + "test_a_row_of_somebody_else_is_refused_also_where_nothing_is_read_back",
    ),
    Sabotage(
        "wall of absences off",
        "row security is disabled on a table",
        (Sql("alter table workforce_absence disable row level security"),),
        _BY_ITSELF,
    ),
    Sabotage(
        "wall of sessions dropped",
        "a table seen by care has no policy for the application",
        (Sql("drop policy wall on coaching_coachingsession"),),
        _CARE,
    ),
    Sabotage(
        "wall of sessions open",
        "every session of a patient is shown to everybody",
        (Sql("alter policy wall on coaching_coachingsession using (true)"),),
        "tests/coaching/test_models.py::test_a_session_is_behind_the_wall_of_care_whoever_asks",
    ),
    Sabotage(
        "wall of session notes dropped",
        "what was said in sessions is shown to nobody: the table has no policy for the application",
        (Sql("drop policy wall on coaching_sessionnote"),),
        _BY_ITSELF,
    ),
    Sabotage(
        "wall of session notes is care's",
        "what was said in a session is shown to everybody who cares at the PCN",
        (
            Sql(
                "alter policy wall on coaching_sessionnote using "
                "(pcn_id in (select unnest(current_setting('hwbc.care')::bigint[])))"
            ),
        ),
        _NOTES + "test_the_database_by_itself_shows_what_was_said_to_the_coach_whose_case_it_is_and_to_nobody_else",
    ),
    Sabotage(
        "session notes without care",
        "notes and sessions are shown by the case alone, also where its PCN's patients are not theirs any more",
        (
            Edit(_WALLS, 'return Wall(f"{care.shows} and ({shows})"', 'return Wall(f"({shows})"'),
            Sql("alter policy wall on coaching_coachingsession using (true)"),  # which the condition asks
        ),
        _NOTES + "test_an_opened_case_is_shut_where_patients_are_not_theirs_any_more",
    ),
    Sabotage(
        "a former coach reads on",
        "the database shows a coach what was said after they handed the case on",
        (Edit("coaching/models.py", "(a.ends_on is null or a.ends_on >= s.held_on)", "true"),),
        _NOTES + "test_who_handed_a_case_on_is_shown_what_was_said_until_then",
    ),
    Sabotage(
        "an opening never ends in the database",
        "the database shows what was said to whoever opened the case yesterday",
        (Edit("coaching/models.py", " and o.day = (now() at time zone 'Europe/London')::date)", ")"),),
        _NOTES + "test_who_opened_the_case_with_a_reason_is_shown_it_on_that_day_alone",
    ),
    Sabotage(
        "anybody's opening opens",
        "one opening opens what was said to everybody who sees it",
        (Edit("coaching/models.py", "and {walls.is_user('o.user_id')}", "and true"),),
        _NOTES + "test_who_opened_the_case_with_a_reason_is_shown_it_on_that_day_alone",
    ),
    Sabotage(
        "cases are everybody's whom one sees",
        "the database takes the cases of every coach whom somebody sees for their own",
        (
            Edit(
                _ACCESS,
                "cases=tuple(sorted(self.own(Can.LOG_SESSIONS)))",
                "cases=tuple(sorted(self.coaches(Can.SEE_STANDING)))",
            ),
        ),
        _NOTES + "test_the_database_by_itself_shows_what_was_said_to_the_coach_whose_case_it_is_and_to_nobody_else",
    ),
    Sabotage(
        "notes are written by the PCN",
        "the database takes a note from everybody who cares at the PCN",
        (Edit(_WALLS, 'writes = f"{care.shows} and {takes}"', "writes = care.shows"),),
        _NOTES + "test_only_the_coach_who_had_the_case_on_the_day_notes_anything",
    ),
    Sabotage(
        "why a session was withdrawn is the PCN's",
        "the reason stands in the session's row, for everybody who cares at the PCN",
        (Edit("coaching/actions/sessions.py", 'line.void(session, "")', "line.void(session, because)"),),
        _NOTES + "test_why_a_session_was_withdrawn_is_shown_as_what_was_said",
    ),
    Sabotage(
        "lifting is inherited",
        "the application's login has the rights of hwbc_all all the time",
        (
            Sql(
                "grant hwbc_all to hwbc_app with inherit true, set true",
                undo="grant hwbc_all to hwbc_app with inherit false, set true",
                superuser=True,
            ),
        ),
        _WITHIN,
    ),
    Sabotage(
        "inherited lifting not refused",
        "a login that inherits hwbc_all may serve",
        (Edit(_WALLS, "    if exists and inherits:", "    if exists and inherits and False:"),),
        _TEST_WALLS + "TestRefusal::test_a_login_with_a_wrong_right_is_refused",
    ),
    Sabotage(
        "owner not refused",
        "the owner of the tables, whom no wall stops, may serve",
        (Edit(_WALLS, "    if owned:", "    if owned and False:"),),
        _TEST_WALLS + "TestRefusal::test_the_owner_is_refused",
    ),
    Sabotage(
        "care wall is the PCN's",
        "patients' rows are shown to whoever oversees the PCN",
        (
            Edit(
                _WALLS,
                'return _by("care", column)',
                'return _by("pcns", column)',
            ),
        ),
        _CARE,
    ),
    Sabotage(
        "referrals are open",
        "every referral is shown to everybody by the database",
        (Edit("coaching/models.py", "    wall = walls.by_pcn()\n", '    wall = walls.open_to_all("sabotage")\n'),),
        "tests/coaching/test_models.py::test_a_session_is_behind_the_wall_of_care_whoever_asks",
    ),
    Sabotage(
        "forgotten scope is an empty page",
        "without a scope the walls show nothing, and raise no error",
        (
            Edit(
                _WALLS,
                "select unnest(current_setting('hwbc.{setting}')::bigint[])",
                "select unnest(nullif(current_setting('hwbc.{setting}', true), '')::bigint[])",
            ),
        ),
        _TEST_WALLS + "test_a_forgotten_scope_is_an_error_and_never_an_empty_answer",
    ),
    Sabotage(
        "outer scope not restored",
        "after a nested scope its rows go on being shown",
        (Edit(_WALLS, "                _tell(outer)\n", "                pass\n"),),
        _TEST_WALLS + "test_a_nested_scope_gives_the_outer_one_back",
    ),
    Sabotage(
        "scope not lowered after reach",
        "the page is made with the walls still lifted",
        (Edit(_WALLS, "        _scope.set(scope)\n        _tell(scope)\n", "        _scope.set(scope)\n"),),
        _TEST_ACCESS + "test_a_view_that_forgets_to_filter_still_shows_no_foreign_row",
    ),
    Sabotage(
        "stream is lifted",
        "what is read after the response has begun sees every row",
        (
            Edit(
                _WALLS,
                "    with within(scope):\n        yield from",
                '    with lifted("it is late"):\n        yield from',
            ),
        ),
        _TEST_WALLS + "test_a_stream_opens_its_own_scope",
    ),
    Sabotage(
        "audit can be rewritten",
        "lines of the audit may be changed and removed",
        (
            Edit(
                _WALLS,
                'return Wall(wall.shows, "true", (SELECT, INSERT), wall.why',
                'return Wall(wall.shows, "true", ALL, ""',
            ),
        ),
        _TEST_WALLS + "test_the_audit_takes_lines_from_everybody_and_gives_none_back_changed",
    ),
    Sabotage(
        "anybody gives access",
        "a grant is taken from whoever writes one, for themself too",
        (
            Edit(
                _WALLS,
                "return Wall(shown.shows, writes, (SELECT, INSERT, UPDATE), changes=writes,",
                'return Wall(shown.shows, "true", (SELECT, INSERT, UPDATE), changes="true",',
            ),
        ),
        _TEST_WALLS + "test_nobody_gives_themself_access_whatever_python_forgot",
    ),
    Sabotage(
        "inbox is open",
        "everybody sees what others were told",
        (
            Edit(
                _WALLS,
                'return Wall(own, "true", (SELECT, INSERT, UPDATE)',
                'return Wall("true", "true", (SELECT, INSERT, UPDATE)',
            ),
        ),
        "tests/standards/test_notifications.py::test_anybody_may_tell_and_only_who_is_told_sees_it",
    ),
    Sabotage(
        "jobs are open",
        "the database shows everybody what others asked the worker for",
        (
            Edit(
                "hwbc/standards/models.py", "    wall = walls.by_user()\n", '    wall = walls.open_to_all("sabotage")\n'
            ),
        ),
        "tests/compliance/test_jobs.py::test_a_job_is_there_for_whoever_asked_alone",
    ),
    Sabotage(
        "meetings are open",
        "one table of those seen by coach declares another wall than they",
        (
            Edit(
                "supervision/models.py",
                "class Meeting(Named, OfCoach, Fact):\n",
                "class Meeting(Named, OfCoach, Fact):\n"
                '    wall = walls.Wall("true", "true", keys=(("coaches", "coach_id"),))\n',
            ),
        ),
        _BY_ITSELF,
    ),
    Sabotage(
        "monthly shares are open",
        "the database shows everybody the figures of every PCN",
        (Sql("alter policy wall on standards_monthlyshare using (true)"),),
        _BY_ITSELF,
    ),
    Sabotage(
        "model without a wall",
        "a new table is open by mistake, and on no list of open ones",
        (
            Edit(
                "training/models.py",
                "class Exemption(Named, OfCoach, Period):\n",
                'class Exemption(Named, OfCoach, Period):\n    wall = walls.open_to_all("by mistake")\n',
            ),
        ),
        _TEST_WALLS + "test_open_tables_are_a_short_list",
    ),
]

# --- Reach: who somebody is, and whom they reach ----------------------------------------------------------------------

REACH = [
    Sabotage(
        "reach ignores revoked_at",
        "access that was ended goes on",
        (Edit(_REACH, "%(user)s and g.revoked_at is null", "%(user)s"),),
        _TEST_ACCESS + "test_a_grant_that_ends_acts_on_the_next_request",
    ),
    Sabotage(
        "reach ignores ends_on",
        "access goes on after its last day",
        (
            Edit(
                _REACH,
                "and g.starts_on <= %(day)s and (g.ends_on is null or g.ends_on >= %(day)s)",
                "and g.starts_on <= %(day)s",
            ),
        ),
        "tests/workforce/test_queries.py::test_the_first_and_the_last_day_of_a_grant_count",
    ),
    Sabotage(
        "reach ignores starts_on",
        "access begins before its first day",
        (
            Edit(
                _REACH,
                "and g.starts_on <= %(day)s and (g.ends_on is null or g.ends_on >= %(day)s)",
                "and (g.ends_on is null or g.ends_on >= %(day)s)",
            ),
        ),
        "tests/workforce/test_queries.py::test_the_first_and_the_last_day_of_a_grant_count",
    ),
    Sabotage(
        "reach climbs up",
        "a grant at a PCN reaches its hub, and the hub's board, and not what is below",
        (
            Edit(
                _REACH,
                "select b.grant_id, o.id from below b join workforce_organisation o on o.parent_id = b.node",
                "select b.grant_id, o.parent_id from below b join workforce_organisation o on o.id = b.node "
                "where o.parent_id is not null",
            ),
        ),
        _TEST_ACCESS + "test_for_actor_shows_what_the_roles_reach",
    ),
    Sabotage(
        "reach of one coach is the PCN's",
        "a coach and a supervisor reach everybody at the PCN",
        (Edit(_REACH, "case when l.coach_id is not null then", "case when false then"),),
        "tests/workforce/test_queries.py::test_a_hub_reaches_no_patients_and_a_supervisor_no_place",
    ),
    Sabotage(
        "care given to the hub",
        "the hub's scope holds the patients of its PCNs",
        (
            Edit(
                _ACCESS,
                "care=tuple(sorted(self.around(Can.SEE_PATIENTS)))",
                "care=tuple(sorted(self.around(Can.SEE_WORK)))",
            ),
        ),
        "tests/workforce/test_queries.py::test_a_hub_reaches_no_patients_and_a_supervisor_no_place",
    ),
    Sabotage(
        "patients in the hub's role",
        "the table of roles lets a hub see patients",
        (
            Edit(
                "hwbc/workforce/roles.py",
                "_KEEPS_RECORDS | {Can.ACKNOWLEDGE, Can.INVITE},",
                "_KEEPS_RECORDS | {Can.ACKNOWLEDGE, Can.INVITE, Can.SEE_PATIENTS},",
            ),
        ),
        "tests/coaching/test_queries.py::test_each_sees_the_work_that_is_theirs_to_see",
    ),
    Sabotage(
        "auditor gives access",
        "who oversees a place reaches the grants there, and may make them",
        (Edit(_ACCESS, "self.nodes(Can.INVITE)", "self.nodes(Can.SEE_OVERVIEW)"),),
        _TEST_WALLS + "test_nobody_gives_themself_access_whatever_python_forgot",
    ),
    Sabotage(
        "closed account keeps its grants",
        "a user who is not active is an actor as before",
        (Edit(_ACCESS, "reach(user.pk, day)) if user.is_active else NOBODY", "reach(user.pk, day))"),),
        "tests/workforce/test_actions.py::test_a_closed_account_reaches_nothing",
    ),
    Sabotage(
        "one coach's grant is a whole place's",
        "whoever is granted one coach may do it for everybody there",
        (Edit(_ACCESS, "if grant.coach_id is None and grant.allows(can)]", "if grant.allows(can)]"),),
        "tests/coaching/test_queries.py::test_each_sees_the_work_that_is_theirs_to_see",
    ),
]

# --- The front door ---------------------------------------------------------------------------------------------------

DOOR = [
    Sabotage(
        "undeclared page opens",
        "the front door lets a page in that declares nothing",
        (Edit(_ACCESS, "if declared is None:", "if False:"),),
        _TEST_ACCESS + "test_a_page_that_declares_nothing_does_not_open",
    ),
    Sabotage(
        "undeclared page not found at start",
        "the check of the start does not look for pages that declare nothing",
        (Edit("hwbc/workforce/checks.py", "pattern.name) is None", "pattern.name) is NotImplemented"),),
        _TEST_ACCESS + "test_a_page_that_declares_nothing_stops_the_start",
    ),
    Sabotage(
        "@needs removed",
        "the list of coaches declares nothing",
        (Edit("hwbc/compliance/views/coaches.py", "@needs(Can.SEE_STANDING)\n", ""),),
        _PAGES + "test_the_catalogue_says_what_the_pages_declare",
    ),
    Sabotage(
        "weaker Can",
        "the page that overrides the gate opens for whoever sees standing",
        (Edit("hwbc/compliance/views/overrides.py", "@needs(Can.OVERRIDE)", "@needs(Can.SEE_STANDING)"),),
        _OPENS + "[override]",
    ),
    Sabotage(
        "@signed_in instead of @needs",
        "the service's status opens for whoever has signed in",
        (
            Edit("hwbc/compliance/views/status.py", "@needs(Can.SEE_STATUS)", "@signed_in"),
            Edit("hwbc/compliance/views/status.py", "import Request, needs", "import Request, signed_in"),
        ),
        _PAGES + "test_without_any_role_nothing_that_needs_one_opens[status]",
    ),
    Sabotage(
        "any role is enough",
        "@needs asks whether somebody has a role, and not which",
        (Edit(_ACCESS, "if not request.actor.can(can):", "if not request.actor.grants:"),),
        _OPENS + "[status]",
    ),
    Sabotage(
        "refusal leaves no line",
        "the audit line of a refused page is lost",
        (Edit(_ACCESS, "            record_refusal(request.actor, exception.can, page)\n", ""),),
        _TEST_ACCESS + "test_a_refused_view_loses_its_work_and_keeps_its_audit_line",
    ),
    Sabotage(
        "refused view keeps its work",
        "what a view wrote before it was refused stays",
        (Edit("hwbc/settings.py", '"ATOMIC_REQUESTS": True', '"ATOMIC_REQUESTS": False'),),
        _TEST_ACCESS + "test_a_refused_view_loses_its_work_and_keeps_its_audit_line",
    ),
    Sabotage(
        "refused action leaves no line",
        "the audit line of a refusal is rolled back with the action",
        (Edit(_AUDIT, "                _write(actor, line, AuditEvent.Outcome.REFUSED)\n", ""),),
        "tests/coaching/test_actions.py::"
        "test_a_coach_who_is_not_ready_is_refused_with_the_missing_piece_and_the_refusal_is_kept",
    ),
    Sabotage(
        "action without a line",
        "an action may end without saying what it was done to",
        (Edit(_AUDIT, "                    if not line.kind:\n", "                    if not line.kind and False:\n"),),
        "tests/workforce/test_actions.py::test_an_action_that_says_nothing_is_undone",
    ),
    Sabotage(
        "404 names the record",
        "the answer for somebody else's record says whose it is",
        (
            Edit(
                "hwbc/compliance/record.py",
                "    if coach is None:\n        raise Http404\n",
                "    if coach is None:\n        from hwbc.workforce import walls\n\n"
                '        with walls.lifted("who it is"):\n'
                '            raise Http404(f"{Coach.objects.get(uuid=uuid)} is not yours")\n',
            ),
            Edit("templates/404.html", "<h1>Page not found</h1>", "<h1>Page not found</h1><p>{{ exception }}</p>"),
        ),
        _PAGES + "test_another_pcns_record_is_no_page[coach]",
    ),
]

# --- Rows, by who asks ------------------------------------------------------------------------------------------------

ROWS = [
    Sabotage(
        "for_actor of Coach gives all",
        "only the database holds back other coaches",
        (Edit("hwbc/workforce/models.py", "return Q(pk__in=actor.coaches(can))", "return Q()"),),
        _TEST_ACCESS + "test_for_actor_holds_without_the_database_wall",
    ),
    Sabotage(
        "for_actor of Grant gives all",
        "only the database holds back others' access",
        (Edit("hwbc/workforce/models.py", "return Q(organisation__in=actor.nodes(can))", "return Q()"),),
        _TEST_ACCESS + "test_for_actor_holds_without_the_database_wall",
    ),
    Sabotage(
        "for_actor of a coach's facts gives all",
        "only the database holds back posts, meetings, training and flags",
        (Edit("hwbc/workforce/models.py", "return Q(coach__in=actor.coaches(can))", "return Q()"),),
        _FOR_ACTOR,
    ),
    Sabotage(
        "for_actor of Referral gives all",
        "a coach reads the referrals of every coach of the PCN",
        (
            Edit(
                "coaching/models.py",
                "return Q(pcn__in=actor.pcns(can)) | own | _opened(actor, can, cls.referral_path)",
                "return Q()",
            ),
        ),
        "tests/compliance/test_coaching_pages.py::test_a_coach_sees_their_cases_urgent_first_and_nobody_elses",
    ),
    Sabotage(
        "for_actor of CoachingSession gives all",
        "a coach reads the sessions of every coach of the PCN",
        (
            Edit(
                "coaching/models.py",
                "return Q(pcn__in=actor.pcns(can)) | theirs",
                "return Q(pcn__in=actor.pcns(can)) | ~Q(pk=None)",
            ),
        ),
        "tests/compliance/test_coaching_pages.py::test_a_former_coach_reads_nothing_of_what_came_after_them",
    ),
    Sabotage(
        "for_actor of SessionNote gives all",
        "only the database holds back what was said in a session",
        (
            Edit(
                "coaching/models.py",
                "return theirs | _opened(actor, can, cls.referral_path)",
                "return Q()",
            ),
        ),
        _NOTES + "test_for_actor_by_itself_gives_what_the_database_shows",
    ),
    Sabotage(
        "for_actor of Job gives all",
        "only the database holds back the file of somebody else's job",
        (Edit("hwbc/standards/models.py", "        return Q(user=actor.user_id)\n", "        return Q()\n"),),
        _FOR_ACTOR,
    ),
    Sabotage(
        "for_actor forgets the Can",
        "a page's own Can is not asked, only the model's",
        (Edit("hwbc/workforce/models.py", "can or self.model.read_by", "self.model.read_by"),),
        "tests/compliance/test_recording_kinds.py::"
        "test_who_sees_a_coach_by_another_role_writes_nothing_about_them[post_new]",
    ),
    Sabotage(
        "entry about any coach",
        "the pages that record ask for the coach by the Can of looking",
        (
            Edit(
                "hwbc/compliance/views/recording/entry.py",
                "Coach.objects.for_actor(actor, can)",
                "Coach.objects.for_actor(actor)",
            ),
        ),
        "tests/compliance/test_recording_kinds.py::"
        "test_who_sees_a_coach_by_another_role_writes_nothing_about_them[post_new]",
    ),
    Sabotage(
        "post by its number",
        "a post is found by a number that can be guessed, whoever the coach in the address is",
        (
            Edit(
                "hwbc/compliance/views/recording/employment.py",
                'row_of(Post, actor, CAN, "starts_on", coach__uuid=uuid, pk=pk)',
                'row_of(Post, actor, CAN, "starts_on", pk=pk)',
            ),
        ),
        "tests/compliance/test_recording_records.py::test_a_post_and_an_absence_are_found_below_their_own_coach_alone",
    ),
    Sabotage(
        "post of another PCN",
        "a manager ends the post that a coach of theirs has elsewhere",
        (
            Edit(
                "hwbc/compliance/views/recording/employment.py",
                "    if post.pcn_id not in actor.pcns(CAN):\n        raise Http404\n",
                "",
            ),
        ),
        "tests/compliance/test_recording_records.py::test_a_post_beside_theirs_is_not_opened",
    ),
    Sabotage(
        "leaver is shown without end",
        "a PCN reads what came after a coach had left it",
        (Edit("hwbc/compliance/record.py", "        if self._coach in self._actor.own(can):\n", "        if True:\n"),),
        "tests/compliance/test_coach_pages.py::test_of_a_leaver_the_last_day_is_shown_and_nothing_after_it",
    ),
    Sabotage(
        "reasons for everybody",
        "why a coach is away is shown to whoever sees the coach",
        (
            Edit(
                "hwbc/compliance/views/coach.py",
                '"sees_kinds": record.sees(Can.SEE_REASONS, record.day)',
                '"sees_kinds": True',
            ),
            Edit(
                "hwbc/compliance/views/coach.py",
                'each.kind_words if record.sees(Can.SEE_REASONS, each.starts_on) else ""',
                "each.kind_words",
            ),
        ),
        "tests/compliance/test_coach_pages.py::test_a_clinical_supervisor_sees_no_reason",
    ),
    Sabotage(
        "places of others can be chosen",
        "the filter by place offers every organisation",
        (
            Edit(
                "hwbc/compliance/queries.py",
                "Organisation.objects.filter(pk__in=actor.nodes(can))",
                "Organisation.objects.all()",
            ),
        ),
        "tests/compliance/test_lists.py::test_a_place_that_is_not_mine_is_no_choice",
    ),
    Sabotage(
        "told although out of reach",
        "what was told about a coach stays when the access goes",
        (Edit("hwbc/standards/models.py", " & (Q(coach=None) | Q(coach__in=actor.coaches(Can.SEE_STANDING)))", ""),),
        "tests/compliance/test_notification_pages.py::test_with_the_access_goes_what_was_told_about_the_coach",
    ),
    Sabotage(
        "managers everywhere are told",
        "a flag is told to managers of other PCNs",
        (
            Edit(
                "hwbc/standards/actions.py",
                "on g.organisation_id = p.pcn_id and g.role = 'pcn_manager'",
                "on g.role = 'pcn_manager'",
            ),
        ),
        "tests/standards/test_notifications.py::"
        "test_a_flag_is_told_to_the_coach_their_supervisor_of_that_kind_and_their_manager",
    ),
]

# --- Writing ----------------------------------------------------------------------------------------------------------

WRITING = [
    Sabotage(
        "pcn from the browser",
        "the action takes the PCN that was sent instead of the referral's",
        (
            Edit(
                "hwbc/compliance/views/caseload.py",
                "said = sessions.log_session(request.actor, referral=row, uuid=token, **form.answers())",
                'sent = {"pcn": int(request.POST["pcn"])} if "pcn" in request.POST else {}\n'
                "        said = sessions.log_session("
                "request.actor, referral=row, uuid=token, **form.answers(), **sent)",
            ),
            Edit(
                "coaching/actions/sessions.py",
                "CoachingSession(uuid=uuid, referral=referral, pcn=referral.pcn, **rest)",
                'CoachingSession(uuid=uuid, referral=referral, pcn_id=rest.pop("pcn", referral.pcn_id), **rest)',
            ),
        ),
        "tests/compliance/test_coaching_pages.py::test_a_session_is_of_its_referrals_pcn_whatever_is_sent",
    ),
    Sabotage(
        "PCNs of others are offered",
        "the form for a post takes any PCN",
        (
            Edit(
                "hwbc/compliance/views/recording/employment.py",
                "pcns = places(actor.pcns(CAN))",
                "pcns = places(range(100_000))",
            ),
        ),
        "tests/compliance/test_recording_records.py::test_a_post_is_at_ones_own_pcn_whatever_is_sent",
    ),
    Sabotage(
        "post at any PCN",
        "the action adds a post at a PCN of others",
        (
            Edit(
                "hwbc/workforce/actions/__init__.py",
                "    if pcn.pk not in actor.pcns(Can.RECORD):\n        raise Refused(Can.RECORD)\n",
                "",
            ),
        ),
        "tests/workforce/test_records.py::"
        "test_a_post_at_another_pcn_is_not_theirs_to_record_even_of_a_coach_they_reach",
    ),
    Sabotage(
        "anybody writes about a coach",
        "whoever sees a coach records posts and absences",
        (
            Edit(
                "hwbc/workforce/recording.py",
                "if not actor.job and coach.pk not in actor.coaches(can):",
                "if not actor.job and coach.pk not in actor.coaches(Can.SEE_STANDING):",
            ),
        ),
        "tests/workforce/test_records.py::test_only_the_managers_of_the_pcn_record[lee]",
    ),
    Sabotage(
        "gate not asked",
        "an untrained coach is given a referral",
        (Edit("coaching/actions/referrals.py", "    if chosen.readiness.missing is not None:", "    if False:"),),
        "tests/compliance/test_coaching_pages.py::test_the_server_refuses_an_untrained_coach_whatever_is_sent",
    ),
    Sabotage(
        "referral given by anybody",
        "whoever sees a referral hands it out",
        (
            Edit("coaching/actions/referrals.py", "Referral.objects.for_actor(actor, can)", "Referral.objects"),
            Edit(
                "coaching/actions/referrals.py",
                "    if coach.pk not in actor.coaches(Can.ALLOCATE):\n        raise Refused(Can.ALLOCATE)\n",
                "",
            ),
        ),
        "tests/coaching/test_actions.py::test_only_who_hands_out_referrals_there_gives_one_to_a_coach",
    ),
    Sabotage(
        "referral received anywhere",
        "a referral is written down for a PCN of others",
        (
            Edit(
                "coaching/actions/referrals.py",
                "    if pcn.pk not in actor.pcns(Can.ALLOCATE):\n        raise Refused(Can.ALLOCATE)\n    reference",
                "    reference",
            ),
        ),
        "tests/coaching/test_actions.py::test_only_who_hands_out_referrals_there_receives_one",
    ),
    Sabotage(
        "referral closed by anybody",
        "whoever works at the PCN closes a colleague's case",
        (
            Edit(
                "coaching/actions/referrals.py",
                "    if not own and referral.pcn_id not in actor.pcns(Can.ALLOCATE):",
                "    if not own and False:",
            ),
        ),
        "tests/coaching/test_actions.py::test_a_referral_nobody_has_is_closed_by_who_hands_them_out",
    ),
    Sabotage(
        "session logged by anybody",
        "a coach logs sessions of a colleague's case",
        (
            Edit(
                "coaching/actions/sessions.py",
                "coach__in=actor.own(Can.LOG_SESSIONS), voided_at=None",
                "voided_at=None",
            ),
            Edit(
                "coaching/actions/sessions.py",
                "Referral.objects.for_actor(actor, Can.LOG_SESSIONS)",
                "Referral.objects",
            ),
        ),
        "tests/coaching/test_actions.py::test_only_the_coach_who_has_it_logs_a_session",
    ),
    Sabotage(
        "flag acknowledged by anybody",
        "the page goes on where it should refuse",
        (Edit("hwbc/compliance/views/flags.py", "            raise Refused(Can.ACKNOWLEDGE)\n", "            pass\n"),),
        "tests/compliance/test_flags.py::test_others_read_it_and_may_not_acknowledge",
    ),
    Sabotage(
        "Refused is caught",
        "a page catches the refusal of the action and goes on",
        (
            Edit(
                "hwbc/compliance/views/overrides.py",
                "        except ValidationError as fault:\n",
                "        except PermissionDenied:\n            pass\n        except ValidationError as fault:\n",
            ),
            Edit(
                "hwbc/compliance/views/overrides.py",
                "import ValidationError\n",
                "import PermissionDenied, ValidationError\n",
            ),
        ),
        "tests/compliance/test_coaching_pages.py::test_who_may_not_override",
    ),
    Sabotage(
        "own exemption",
        "somebody approves their own exemption",
        (
            Edit(
                "training/actions.py",
                "    if coach.pk in own or (coach.user_id is not None and coach.user_id == actor.user_id):",
                "    if False:",
            ),
        ),
        "tests/training/test_actions.py::test_nobody_approves_their_own_exemption",
    ),
    Sabotage(
        "any role is given",
        "who may invite gives every role everywhere",
        (
            Edit(
                "hwbc/workforce/actions/__init__.py",
                "    if not actor.job and organisation.pk not in actor.gives(role):",
                "    if False:",
            ),
        ),
        "tests/workforce/test_actions.py::test_the_action_refuses_without_the_database_wall",
    ),
    Sabotage(
        "access ended by anybody",
        "access is ended at a place of others",
        (
            Edit(
                "hwbc/workforce/actions/__init__.py",
                "    if not actor.job and grant.organisation_id not in actor.nodes(Can.INVITE):",
                "    if False:",
            ),
        ),
        "tests/workforce/test_actions.py::test_access_is_ended_by_whoever_may_invite_there_and_by_nobody_else",
    ),
    Sabotage(
        "supervisor's grant outlives agreement",
        "a supervisor goes on seeing whom they supervised",
        (
            Edit(
                "supervision/actions/access.py",
                "   and (g.ends_on is null or g.ends_on >= %(day)s\n",
                "   and (false\n",
            ),
        ),
        "tests/supervision/test_access.py::test_a_void_agreement_gives_no_access_from_now_on",
    ),
    Sabotage(
        "agreement ends, access does not follow",
        "the page that ends an agreement leaves the supervisor's access",
        (Edit("supervision/actions/agreements.py", "    follow_agreements(coaches=[coach.pk])", "    pass"),),
        "tests/compliance/test_recording_records.py::test_with_the_agreement_the_supervisors_access_ends",
    ),
    Sabotage(
        "meeting of another kind",
        "a line manager records clinical supervision",
        (Edit("supervision/roles.py", "for kind in GIVES.get(grant.role, ())", "for kind in Meeting.Kind.values"),),
        "tests/supervision/test_actions.py::test_a_supervisor_records_meetings_of_their_own_kind",
    ),
]

# --- What leaves, what comes in, what is done later -------------------------------------------------------------------

_EXPORTS = "tests/compliance/test_exports.py::test_a_role_that_may_not_export_adds_nothing"
LATER = [
    Sabotage(
        "job is done lifted",
        "the worker makes a file with every row in sight, and not in the scope of whoever asked",
        (
            Edit(
                "hwbc/compliance/jobs/work.py",
                "with walls.within(actor.scope), Teller",
                "with walls.lifted(_FINDS), Teller",
            ),
        ),
        "tests/compliance/test_jobs.py::test_a_job_is_done_in_the_scope_of_whoever_asked",
    ),
    Sabotage(
        "job does not ask again",
        "a file is made for somebody who lost the access meanwhile",
        (
            Edit(
                "hwbc/compliance/exporting/jobs.py",
                "    if not (actor.can(Can.EXPORT) and actor.can(wanted.needs)):",
                "    if False:",
            ),
        ),
        "tests/compliance/test_export_jobs.py::test_who_lost_access_meanwhile_gets_no_file",
    ),
    Sabotage(
        "file outlives the access",
        "a file is given out to somebody who may see less by then",
        (Edit("hwbc/compliance/views/jobs.py", "    if not may_still_have(request.actor, found):", "    if False:"),),
        "tests/compliance/test_export_jobs.py::test_a_file_is_not_given_out_to_who_may_see_less_by_then",
    ),
    Sabotage(
        "list asked for without its page",
        "the file of a list is made for whoever may export anything",
        (Edit("hwbc/compliance/views/exports.py", "    if not actor.can(wanted.needs):", "    if False:"),),
        "tests/compliance/test_export_jobs.py::test_who_may_not_open_a_list_cannot_ask_for_its_file",
    ),
    Sabotage(
        "export of PCNs not limited",
        "the file has PCNs whose records may be seen and not taken away",
        (
            Edit(
                "hwbc/compliance/views/overview.py",
                "within = actor.pcns(Can.EXPORT)",
                "within = actor.pcns(Can.SEE_OVERVIEW)",
            ),
        ),
        _EXPORTS,
    ),
    Sabotage(
        "export of flags not limited",
        "the file has coaches who may be seen and not taken away",
        (
            Edit(
                "hwbc/compliance/views/flags.py",
                "own, pcns = actor.own(Can.EXPORT), actor.pcns(Can.EXPORT)",
                "own, pcns = actor.own(Can.SEE_STANDING), actor.pcns(Can.SEE_STANDING)",
            ),
        ),
        _EXPORTS,
    ),
    Sabotage(
        "export of referrals not limited",
        "the file has referrals that may be seen and not taken away",
        (
            Edit(
                "hwbc/compliance/views/referrals.py", "pcns = actor.pcns(Can.EXPORT)", "pcns = actor.pcns(Can.SEE_WORK)"
            ),
        ),
        _EXPORTS,
    ),
    Sabotage(
        "import without limits",
        "a manager's workbook may hold rows of any PCN",
        (Edit("hwbc/compliance/importing/jobs.py", "limits=actor,", "limits=None,"),),
        "tests/compliance/test_import_limits.py::test_posts_and_referrals_are_made_at_ones_own_pcns",
    ),
    Sabotage(
        "import reaches every coach",
        "a manager's workbook changes coaches of other PCNs",
        (
            Edit(
                "hwbc/compliance/importing/limits.py",
                '"coaches": actor.coaches(Can.IMPORT),',
                '"coaches": range(100_000),',
            ),
        ),
        "tests/compliance/test_import_limits.py::test_a_coach_of_another_pcn_is_not_one_of_theirs",
    ),
    Sabotage(
        "import does not ask again",
        "a workbook is brought in by somebody who lost the access meanwhile",
        (
            Edit(
                "hwbc/compliance/importing/jobs.py",
                "if not any(service.organisation.code == code for service in services(actor)):",
                "if False:",
            ),
        ),
        "tests/compliance/test_jobs.py::test_access_is_judged_when_it_is_done",
    ),
]

_PEOPLE, _OPENING = "tests/compliance/test_people.py::", "tests/compliance/test_opening.py::"
_SUSPEND, _CASELOAD = "hwbc/compliance/actions.py", "hwbc/compliance/views/caseload.py"

# Whose case it is, who stands in, who leaves; how somebody signed in, and for how long.
PEOPLE = [
    Sabotage(
        "what was said is the PCN's",
        "a manager reads the notes of every session without a reason: neither page nor database asks for one",
        (
            Edit(_CASELOAD, "opened or any(row.held_on <=", "True or any(row.held_on <="),
            Sql("alter policy wall on coaching_sessionnote using (true)"),
        ),
        _OPENING + "test_what_was_said_is_for_the_coach_and_a_manager_sees_that_it_took_place",
    ),
    Sabotage(
        "an opened case stays open",
        "a case that was opened with a reason is open for ever",
        (Edit("coaching/queries.py", "referral=referral, day=today()).exists()", "referral=referral).exists()"),),
        _OPENING + "test_a_manager_opens_a_case_with_a_reason_to_the_end_of_the_day",
    ),
    Sabotage(
        "an opening in another's name",
        "the database takes an opening that says that somebody else did it",
        (
            Edit(
                _WALLS,
                'takes = f"{is_user(user)} or ({care} and {nodes})", f"{is_user(user)} and {care}"',
                'takes = f"{is_user(user)} or ({care} and {nodes})", care',
            ),
        ),
        _OPENING + "test_the_database_takes_only_ones_own_and_changes_none",
    ),
    Sabotage(
        "openings are the hub's too",
        "whoever gives access reads why a case was opened, patients or not",
        (Edit(_WALLS, "or ({care} and {nodes})", "or {nodes}"),),
        _OPENING + "test_the_database_takes_only_ones_own_and_changes_none",
    ),
    Sabotage(
        "a reason is not asked",
        "a colleague's case opens without a reason",
        (Edit("coaching/actions/opening.py", "if len(said) < Opening.SHORTEST_REASON:", "if False:"),),
        _OPENING + "test_a_reason_that_says_nothing_opens_nothing",
    ),
    Sabotage(
        "a deputy outlives the access",
        "a deputy goes on when whoever they stand in for has no access any more",
        (Edit(_REACH, "(b.revoked_at is null and b.starts_on", "(b.starts_on"),),
        _PEOPLE + "test_reach_itself_ends_a_deputy_whose_principal_has_none_left",
    ),
    Sabotage(
        "a deputy gives access",
        "whoever stands in for a manager may invite and import",
        (Edit("hwbc/workforce/roles.py", "ALLOWS[role] - _NOT_FOR_DEPUTIES", "ALLOWS[role]"),),
        _PEOPLE + "test_a_deputy_does_the_managers_work_and_gives_no_access",
    ),
    Sabotage(
        "a coach's deputy sees the coach",
        "who looks after the cases sees supervision and absences as well",
        (
            Edit(
                "hwbc/workforce/roles.py",
                "Role.COACH: frozenset({Can.SEE_WORK,",
                "Role.COACH: frozenset({Can.SEE_STANDING, Can.SEE_WORK,",
            ),
        ),
        _PEOPLE + "test_a_coachs_deputy_looks_after_the_cases_and_sees_nothing_else_of_the_coach",
    ),
    Sabotage(
        "an untrained deputy",
        "covering cases goes round the training",
        (Edit(_SUSPEND, "        _ready(user, starts_on)\n", "        pass\n"),),
        _PEOPLE + "test_an_untrained_coach_is_nobodys_deputy",
    ),
    Sabotage(
        "a leaver signs in",
        "suspending ends roles and not the account",
        (
            Edit(
                "hwbc/workforce/actions/__init__.py",
                "update(is_active=False, suspended_at=timezone.now())",
                "update(is_active=True)",
            ),
        ),
        _PEOPLE + "test_whoever_leaves_is_out_at_once_and_their_cases_wait",
    ),
    Sabotage(
        "a leaver keeps the cases",
        "the open cases of whoever leaves wait nowhere",
        (Edit(_SUSPEND, "hand_back_all(actor, coach=own) if own is not None else 0", "0"),),
        _PEOPLE + "test_whoever_leaves_is_out_at_once_and_their_cases_wait",
    ),
    Sabotage(
        "the last manager goes",
        "a PCN is left without anybody who gives access",
        (Edit("hwbc/workforce/actions/__init__.py", "if not others.exclude(pk__in=ending).exists():", "if False:"),),
        _PEOPLE + "test_the_last_manager_of_a_pcn_cannot_be_removed",
    ),
    Sabotage(
        "a password is enough",
        "no second factor is asked for",
        (Edit(_ACCESS, "request.missing = sign_in.missing(session, request.passkey_asked)", "request.missing = None"),),
        "tests/workforce/test_factors.py::test_a_password_alone_opens_nothing_but_the_way_to_a_second_factor",
    ),
    Sabotage(
        "an idle session goes on",
        "nobody is signed out after 15 minutes",
        (
            Edit(
                "hwbc/workforce/sessions/clock.py",
                "return IDLE if now - seen >= settings.SESSION_IDLE else None",
                "return None",
            ),
        ),
        "tests/workforce/test_clock.py::test_whoever_does_nothing_for_15_minutes_is_signed_out",
    ),
    Sabotage(
        "nobody confirms",
        "roles are given in a browser that was left open",
        (
            Edit(
                "hwbc/workforce/sessions/confirm.py",
                "    if is_recent(request):\n        return None\n    if request.method",
                "    if True:\n        return None\n    if request.method",
            ),
        ),
        "tests/workforce/test_confirm.py::test_the_end_of_a_role_asks_first",
    ),
]

# --- Drafts: somebody's own text, behind the wall and in the code by itself ------------------------------------------

_DRAFTS = "tests/workforce/test_drafts.py::"
_ITSELF = _DRAFTS + "test_the_code_by_itself_"
DRAFTS = [
    Sabotage(
        "wall of drafts open",
        "what somebody typed is shown to everybody",
        (Sql("alter policy wall on workforce_draft using (true)"),),
        _DRAFTS + "test_a_draft_is_its_writers_alone_and_stands_at_its_address_alone",
    ),
    Sabotage(
        "wall of drafts takes all",
        "somebody puts a text into somebody else's form",
        (Sql("alter policy wall on workforce_draft with check (true)"),),
        _DRAFTS + "test_the_database_takes_no_draft_in_anothers_name_and_changes_none",
    ),
    Sabotage(
        "a draft is anybody's",
        "the code by itself shows what somebody typed to whoever opens the form next",
        (Edit("hwbc/workforce/models.py", "return Q(user=actor.user_id)", "return Q()"),),
        _ITSELF + "shows_and_throws_away_nobody_elses_draft",
    ),
    Sabotage(
        "a draft is asked for without its owner",
        "a form is filled in with what anybody typed into it",
        (
            Edit(
                "hwbc/workforce/sessions/drafts.py",
                "Draft.objects.for_actor(actor).filter(address=self.address",
                "Draft.objects.filter(address=self.address",
            ),
        ),
        _ITSELF + "shows_and_throws_away_nobody_elses_draft",
    ),
    Sabotage(
        "a draft is emptied by anybody",
        "a form that was shown to somebody else is taken for one's own",
        (
            Edit(
                "hwbc/workforce/sessions/drafts.py",
                "mark is not None and mark.user_id == request.actor.user_id",
                "mark is not None",
            ),
        ),
        _ITSELF + "empties_nobody_elses_draft",
    ),
]

# --- A leaver's cases (H2) --------------------------------------------------------------------------------------------

_LEAVING = "tests/compliance/test_leaving.py::"
LEAVING = [
    Sabotage(
        "a leaver's cases are in no list",
        "what a coach has whose post has ended does not wait",
        (
            Edit(
                "coaching/queries.py",
                "where a.referral_id = r.id and {_OPEN} and {_THERE})",
                "where a.referral_id = r.id and {_OPEN})",
            ),
        ),
        _LEAVING + "test_it_waits_at_once_when_the_page_says_that_the_post_has_ended",
    ),
    Sabotage(
        "a leaver's case is on two lists",
        "what waits is on the caseload of the coach who has left, too",
        (Edit("coaching/queries.py", "and {_OPEN} and {_THERE} and {_RECEIVED}", "and {_OPEN} and {_RECEIVED}"),),
        _LEAVING + "test_it_waits_at_once_when_the_page_says_that_the_post_has_ended",
    ),
    Sabotage(
        "a case is taken from a coach who is there",
        "a referral that a coach has is given to another",
        (
            Edit(
                "coaching/actions/referrals.py",
                "if taken is not None and not left([taken.pk], day, LATEST):",
                "if taken is not None and taken.pk is None:",
            ),
        ),
        _LEAVING + "test_the_gate_and_who_was_faster_are_what_they_are_for_every_referral",
    ),
    Sabotage(
        "nobody is told of a leaver's cases",
        "the managers do not hear that a coach has left cases behind",
        (Edit("hwbc/compliance/checks.py", "        tell_of_leavers(day=today)\n", ""),),
        _LEAVING + "test_the_managers_of_the_pcn_are_told_once",
    ),
]

SABOTAGES = [*WALLS, *REACH, *DOOR, *ROWS, *WRITING, *LATER, *PEOPLE, *DRAFTS, *LEAVING]
BY_NAME = {one.name: one for one in SABOTAGES}
