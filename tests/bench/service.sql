-- What a running service has beside the workforce of workforce.sql: hubs of forty PCNs under one ICB, and for each coach
-- eighty referrals of a year and a half, the last twelve still open, each with about six sessions.
insert into workforce_organisation (uuid, code, name, kind, version) values (gen_random_uuid(), 'ICB', 'Bench ICB', 'icb', 1);
insert into workforce_organisation (uuid, code, name, kind, version, parent_id)
select gen_random_uuid(), 'H' || n, 'Bench hub ' || n, 'training_hub', 1, (select id from workforce_organisation where code = 'ICB')
  from generate_series(0, (%(n)s / 5 - 1) / 40) n;
update workforce_organisation p set parent_id = h.id
  from workforce_organisation h where p.kind = 'pcn' and h.code = 'H' || (substr(p.code, 2)::int - 1) / 40;
with asked as (
    insert into coaching_referral (uuid, reference, reference_key, register_id, pcn_id, source, priority, received_on,
                                   closed_on, outcome, version, recorded_at, voided_because)
    select gen_random_uuid(), c.reference || '-' || m, c.reference_key || '-' || m, c.register_id, p.pcn_id, 'gp_practice',
           case when m %% 9 = 0 then 'urgent' else 'routine' end, date '2026-06-15' - 540 + (m * 6.6)::int,
           case when m <= 68 then date '2026-06-15' - 540 + (m * 6.6)::int + 62 end,
           case when m <= 68 then 'goals_met' else '' end, 1, now(), ''
      from workforce_coach c join workforce_post p on p.coach_id = c.id cross join generate_series(1, 80) m
    returning id, pcn_id, reference, received_on, closed_on
)
insert into coaching_allocation (uuid, coach_id, referral_id, pcn_id, starts_on, ends_on, end_recorded_at, version,
                                 recorded_at, voided_because)
select gen_random_uuid(), c.id, a.id, a.pcn_id, a.received_on + 2, a.closed_on,
       case when a.closed_on is not null then now() end, 1, now(), ''
  from asked a join workforce_coach c on c.reference = split_part(a.reference, '-', 1);
insert into coaching_coachingsession (uuid, referral_id, pcn_id, held_on, mode, minutes, outcome, recorded_at, voided_because)
select gen_random_uuid(), a.referral_id, a.pcn_id, a.starts_on + m * 9, 'phone', 45,
       case when (a.id + m) %% 8 = 0 then 'did_not_attend' else 'attended' end, now(), ''
  from coaching_allocation a cross join generate_series(1, 6) m
 where a.starts_on + m * 9 <= date '2026-06-15';
insert into coaching_sessionnote (session_id, pcn_id, note, next_step, voided_because)
select s.id, s.pcn_id, 'Talked about walking, and what stood in its way last week.', 'Walk to the park on Saturday', ''
  from coaching_coachingsession s where s.outcome = 'attended';
insert into coaching_referral (uuid, reference, reference_key, register_id, pcn_id, source, priority, received_on, outcome,
                               version, recorded_at, voided_because)
select gen_random_uuid(), 'W' || o.id || '-' || m, 'w' || o.id || '-' || m, (select min(id) from workforce_organisation), o.id,
       'self', case when m = 1 then 'urgent' else 'routine' end, date '2026-06-15' - m * 3, '', 1, now(), ''
  from workforce_organisation o cross join generate_series(1, 8) m where o.kind = 'pcn';
