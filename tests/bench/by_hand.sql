-- The states of the rules, written by hand for this data: no second clock, no joined periods, the numbers as constants.
with asked as (select %(day)s::date as d, date_trunc('month', %(day)s::date)::date as first),
pause as (
    select coach_id, bool_or(d between starts_on and ends_on) as paused, max(ends_on + 1) filter (where ends_on < d) as back,
           bool_or(starts_on <= d and ends_on >= first) as this_month,
           sum(greatest(0, least(ends_on, first - 1) - greatest(starts_on, first - interval '1 month')::date + 1)) as before
      from workforce_absence, asked where starts_on <= d and ends_on - starts_on >= 13 group by coach_id
), able as (
    select s.id from supervision_supervisor s, asked
     where exists (select 1 from supervision_evidence e where e.supervisor_id = s.id and e.kind = 'tier' and e.number >= 3)
       and exists (select 1 from supervision_evidence e where e.supervisor_id = s.id and e.kind = 'coaching_years'
                      and e.number >= 5)
       and exists (select 1 from supervision_evidence e where e.supervisor_id = s.id and e.kind = 'caseload_hours'
                      and e.number >= 50)
), met as (
    select m.coach_id, max(held_on) filter (where kind = 'line') as line,
           max(held_on) filter (where kind = 'clinical' and s.role = 'gp') as clinical,
           coalesce(sum(minutes) filter (where kind = 'health_coaching' and a.id is not null and held_on >= first), 0) as now,
           coalesce(sum(minutes) filter (where kind = 'health_coaching' and a.id is not null and held_on < first
                                          and held_on >= first - interval '1 month'), 0) as before
      from supervision_meeting m join supervision_supervisor s on s.id = m.supervisor_id left join able a on a.id = s.id, asked
     where held_on <= d group by m.coach_id
), agreed as (
    select coach_id, bool_or(kind = 'line') as line, bool_or(kind = 'clinical') as clinical,
           bool_or(kind = 'health_coaching') as coaching, bool_or(a.id is not null) filter (where kind = 'health_coaching') as able
      from supervision_agreement g left join able a on a.id = g.supervisor_id group by coach_id
), trained as (
    select t.coach_id, bool_or(kind = 'pci_health_coaching') as enrolled,
           max(certificate_on) filter (where kind = 'pci_health_coaching' and certificate_on <= d) as completed,
           max(certificate_on) filter (where kind = 'mandatory' and certificate_on <= d) as mandatory
      from training_trainingrecord t join training_course c on c.id = t.course_id, asked group by t.coach_id
), taken as (select coach_id, min(starts_on) as first_taken from coaching_allocation group by coach_id)
select p.coach_id,
       case when u.paused then 'paused' when d > line_due + 7 then 'overdue' when d >= line_due - 7 then 'due_soon'
            else 'met' end,
       case when u.paused then 'paused' when d > (clinical_base + interval '3 months')::date then 'overdue'
            when d >= (clinical_base + interval '2 months')::date then 'due_soon' else 'met' end,
       case when u.paused then 'paused' when coalesce(m.now, 0) >= 60 then 'met'
            when coalesce(m.before, 0) < 60 and 31 - coalesce(u.before, 0) >= 15 and not coalesce(u.this_month, false)
            then 'overdue' else 'met' end,
       case when coalesce(g.line, false) then 'met' else 'not_met' end,
       case when coalesce(g.clinical, false) then 'met' else 'not_met' end,
       case when coalesce(g.coaching, false) then 'met' else 'not_met' end,
       case when g.able is null then 'not_applicable' when g.able then 'met' else 'not_met' end,
       case when p.funding <> 'arrs' then 'not_applicable' when coalesce(t.enrolled, false) then 'met' else 'not_met' end,
       case when t.completed is not null or k.first_taken is null then 'met' else 'not_met' end,
       case when t.completed is not null then 'met' else 'not_met' end,
       case when t.completed is not null then 'met' when d <= p.starts_on + 30 then 'due_soon' else 'not_met' end,
       case when t.mandatory is null then case when d <= p.starts_on + 30 then 'due_soon' else 'not_met' end
            when d > (t.mandatory + interval '12 months')::date then 'overdue'
            when d >= (t.mandatory + interval '12 months')::date - 60 then 'due_soon' else 'met' end
  from workforce_post p cross join asked
  left join pause u on u.coach_id = p.coach_id left join met m on m.coach_id = p.coach_id
  left join agreed g on g.coach_id = p.coach_id left join trained t on t.coach_id = p.coach_id
  left join taken k on k.coach_id = p.coach_id
  cross join lateral (select (greatest(p.starts_on, u.back, m.line) + interval '1 month')::date as line_due,
                             greatest(p.starts_on, u.back, m.clinical) as clinical_base) due
