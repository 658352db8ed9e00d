-- A year and a half of an invented workforce of %(n)s coaches, in every state of most rules; a PCN for five coaches.
insert into workforce_organisation (uuid, code, name, kind, version)
select gen_random_uuid(), 'B' || n, 'Bench PCN ' || n, 'pcn', 1 from generate_series(1, %(n)s / 5) n;
insert into workforce_coach (uuid, reference, reference_key, register_id, name, sort_name, email, version, recorded_at,
                             voided_because)
select gen_random_uuid(), 'C' || n, 'c' || n, (select min(id) from workforce_organisation), 'Coach ' || n, 'coach ' || n,
       'c@example.org', 1, now(), '' from generate_series(1, %(n)s) n;
insert into workforce_post (coach_id, pcn_id, employer_id, starts_on, hours_per_week, funding, version, recorded_at,
                            voided_because)
select c.id, o.id, o.id, date '2025-01-06' + (c.id %% 90)::int, 30, case when c.id %% 4 = 0 then 'other' else 'arrs' end, 1,
       now(), ''
  from workforce_coach c
  join workforce_organisation o on o.code = 'B' || (c.id %% (%(n)s / 5) + 1);
insert into workforce_absence (coach_id, kind, starts_on, ends_on, end_recorded_at, version, recorded_at, voided_because)
select id, 'sickness', date '2026-05-20' + (id %% 20)::int, date '2026-05-30' + (id %% 37)::int, now(), 1, now(), ''
  from workforce_coach where id %% 10 = 0;
insert into supervision_supervisor (uuid, reference, reference_key, name, email, role, version)
select gen_random_uuid(), 'S' || n, 's' || n, 'Supervisor ' || n, '',
       (array['gp', 'health_coach', 'line_manager'])[n %% 3 + 1], 1 from generate_series(1, greatest(30, %(n)s / 8)) n;
insert into supervision_evidence (supervisor_id, kind, number, text, evidenced_on, recorded_at, voided_because)
select s.id, k.kind, case when k.kind = 'own_supervision' then null else k.number + (s.id %% 2) end, '',
       date '2025-07-01' + (s.id %% 40)::int, now(), ''
  from supervision_supervisor s
  cross join (values ('tier', 3), ('coaching_years', 5), ('caseload_hours', 50), ('own_supervision', 0)) k (kind, number)
 where s.role = 'health_coach';
insert into supervision_agreement (uuid, coach_id, kind, supervisor_id, starts_on, version, recorded_at, voided_because)
select gen_random_uuid(), c.id, k.kind, s.id, date '2025-01-06', 1, now(), ''
  from workforce_coach c
  cross join (values ('line', 2), ('clinical', 0), ('health_coaching', 1)) k (kind, third)
  join supervision_supervisor s on s.reference = 'S' || (c.id %% (greatest(30, %(n)s / 8) / 3 - 1) * 3 + 3 + k.third)
 where c.id %% 13 <> k.third;
insert into supervision_meeting (uuid, coach_id, kind, supervisor_id, held_on, minutes, format, status, ad_hoc, recorded_at,
                                 voided_because)
select gen_random_uuid(), a.coach_id, a.kind, a.supervisor_id,
       (date '2026-06-10' - (m * case when a.kind = 'clinical' then 60 else 30 end) - (a.coach_id %% 35)::int),
       45 + 15 * (a.coach_id %% 2)::int, 'individual', 'held', false, now(), ''
  from supervision_agreement a cross join generate_series(0, 11) m;
insert into training_course (uuid, reference, reference_key, register_id, title, provider, kind, accreditation,
                             gives_certificate, days, version)
select gen_random_uuid(), ref, lower(ref), (select min(id) from workforce_organisation), ref, 'Invented', kind, 'accredited',
       true, 4, 1 from (values ('HC4', 'pci_health_coaching'), ('IGD', 'mandatory')) c (ref, kind);
insert into training_requirement (course_id, within_days, validity_months, recorded_at, voided_because)
select id, 30, case when kind = 'mandatory' then 12 end, now(), '' from training_course;
insert into training_trainingrecord (uuid, coach_id, course_id, enrolled_on, attended_on, certificate_on, certificate_number,
                                     recorded_at, voided_because)
select gen_random_uuid(), c.id, k.id, date '2025-02-01',
       array[date '2025-02-03', date '2025-02-04', date '2025-02-10', date '2025-02-11'],
       case when c.id %% 7 > 0 then date '2025-02-20' + (c.id %% 400)::int end, '', now(), ''
  from workforce_coach c cross join training_course k where c.id %% 11 > 0;
with asked as (
    insert into coaching_referral (uuid, reference, reference_key, register_id, pcn_id, source, priority, received_on, outcome,
                                   version, recorded_at, voided_because)
    select gen_random_uuid(), 'R' || c.id, 'r' || c.id, c.register_id, p.pcn_id, 'nurse', 'routine', date '2026-02-01', '', 1,
           now(), ''
      from workforce_coach c join workforce_post p on p.coach_id = c.id where c.id %% 3 > 0
    returning id, pcn_id, reference
)
insert into coaching_allocation (uuid, coach_id, referral_id, pcn_id, starts_on, version, recorded_at, voided_because)
select gen_random_uuid(), substr(reference, 2)::bigint, id, pcn_id, date '2026-03-01', 1, now(), '' from asked;
