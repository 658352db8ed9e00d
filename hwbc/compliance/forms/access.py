"""Who has access: the filters of the list, and the invitation."""

from typing import Any, NamedTuple

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError

from hwbc.compliance.columns import folded
from hwbc.compliance.forms.lists import ListFilter, choice
from hwbc.kit.fields import DateField
from hwbc.kit.layout import Field
from hwbc.kit.periods import FIRST_YEAR, LAST_YEAR, today
from hwbc.workforce.models import Coach, Grant, Organisation, Post
from hwbc.workforce.roles import Role, in_words
from hwbc.workforce.sessions.drafts import Drafted
from supervision.queries import WithoutAccess

ENDED = "ended"
SUPERVISOR = "supervisor"


class AccessFilter(ListFilter):
    """Narrows the list of grants: a place, a name or an address, a role; or the ended ones instead."""

    narrows = ("place", "name", "role", "show")

    name = forms.CharField(
        label="Name or e-mail address", required=False, max_length=100,
        error_messages={"max_length": "The name must be 100 characters or fewer"},
    )  # fmt: skip
    role = choice("Role", "All roles", "a role")
    show = choice("Show", "Now or later", "what to show")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer("role", [(role.value, role.label) for role in Role])
        self.offer("show", [(ENDED, "Ended")])

    @property
    def shows_ended(self) -> bool:
        """Whether the list is of what has ended."""
        return self.given("show") == ENDED

    def leaves(self, grant: Grant) -> bool:
        """Whether a grant belongs into the narrowed list."""
        place, role = self.node, self.given("role")
        person = folded(f"{grant.user.name} {grant.user.email} {grant.coach.name if grant.coach else ''}")
        return (
            (place is None or grant.organisation_id in self._at_or_below(place.pk))
            and (not role or grant.role == role)
            and all(word in person for word in folded(self.given("name")).split())
        )

    def _at_or_below(self, place: int) -> set[int]:
        # In the tree's order each place stands before those below it.
        nodes = list(self.nodes.values())
        first = next(index for index, node in enumerate(nodes) if node.pk == place)
        after = nodes[first + 1 :]
        end = next((index for index, node in enumerate(after) if node.depth <= nodes[first].depth), len(after))
        return {node.pk for node in (nodes[first], *after[:end])}


class Offered(NamedTuple):
    """What somebody who invites may choose from: places for each role, coaches at a PCN, supervisors."""

    places: dict[Role, list[Organisation]]
    posts: list[Post]
    supervisors: list[WithoutAccess]


def _choose(label: str) -> Any:
    return forms.TypedChoiceField(label=label, empty_value=None)


class Invite(Drafted, forms.Form):
    """One person, one role, at one place or for one coach. Only what the actor may give is offered."""

    submit = "Invite"
    # The question about where, for each role that is held at a place; a coach and a supervisor are chosen by name.
    WHERE = {role: f"at_{role.value}" for role in (Role.PCN_MANAGER, Role.HUB_ADMIN, Role.RECRUITER,
                                                   Role.PANEL_MEMBER, Role.AUDITOR)}  # fmt: skip
    reveals = {
        "role": {
            Role.COACH.value: ["coach"],
            SUPERVISOR: ["supervisor"],
            **{role.value: [name] for role, name in WHERE.items()},
        }
    }

    email = forms.EmailField(
        label="E-mail address",
        help_text="The invitation is sent to it. Somebody who has an account already keeps it.",
        max_length=254,
    )
    name = forms.CharField(label="Full name", max_length=200, help_text="Not used where there is an account already.")
    role = forms.ChoiceField(label="What they are to be", widget=forms.RadioSelect)
    coach = _choose("Which coach")
    supervisor = _choose("Which supervisor")
    at_pcn_manager = _choose("Which PCN")
    at_hub_admin = _choose("Which training hub or integrated care board")
    at_recruiter = _choose("Where they recruit")
    at_panel_member = _choose("Where they interview")
    at_auditor = _choose("Whose records they read")
    starts_on = DateField(label="From", help_text="A supervisor’s access follows their agreements instead.")
    ends_on = DateField(label="Until", required=False, help_text="The last day. Leave empty for access without an end.")

    def __init__(self, *args: Any, offered: Offered, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offered = offered
        self.initial.setdefault("starts_on", today())
        for role, name in self.WHERE.items():
            places = offered.places.get(role, [])
            self._offer(name, {str(place.uuid): (place.name, place) for place in places})
        self._offer(
            "coach",
            {f"{post.coach.uuid} {post.pcn.code}": (f"{post.coach}, {post.pcn}", post) for post in offered.posts},
        )
        self._offer(
            "supervisor",
            {
                str(each.supervisor.uuid): (f"{each.supervisor} (of {', '.join(each.coaches)})", each.supervisor)
                for each in offered.supervisors
            },
        )
        roles: list[tuple[str, str]] = [(role.value, role.label) for role in Role if self._can_be_given(role)]
        if offered.supervisors:
            roles.append((SUPERVISOR, "Supervisor"))
        self.fields["role"].choices = roles  # type: ignore[attr-defined]
        if Role.COACH in offered.places and not offered.posts:
            self.fields["role"].help_text = "Every coach whom you manage has access already."

    def _can_be_given(self, role: Role) -> bool:
        return bool(self.offered.posts) if role is Role.COACH else role in self.WHERE and role in self.offered.places

    def _offer(self, name: str, choices: dict[str, tuple[str, Any]]) -> None:
        field: Any = self.fields[name]
        field.coerce = lambda value: choices[value][1]
        said = [(value, words) for value, (words, _) in choices.items()]
        field.choices = said if len(said) == 1 else [("", "---------"), *said]

    def layout(self) -> list[Any]:
        """The questions, each role with what it may do."""
        hints = {role.value: in_words(role) for role in Role}
        hints[SUPERVISOR] = (
            "Line manager, clinical or health coaching supervisor, as agreed. May see the coaches whom they supervise, "
            "for as long as each agreement holds."
        )
        return ["email", "name", Field("role", hints=hints), "starts_on", "ends_on"]

    def clean_starts_on(self) -> Any:
        """A day within the years that the service knows."""
        return _within_reason(self.cleaned_data["starts_on"])

    def clean_ends_on(self) -> Any:
        """The same, and a day that has not passed: access that is over would be no access."""
        day = _within_reason(self.cleaned_data["ends_on"])
        if day is not None and day < today():
            raise ValidationError("Until must be today or later")
        return day

    def clean(self) -> dict[str, Any] | None:
        """Until is not before from; and where the role is not one of those offered, nothing more is asked about it."""
        cleaned = super().clean()
        if "role" in self.errors:
            for name in self.revealed_by():
                self.errors.pop(name, None)
        starts_on, ends_on = self.cleaned_data.get("starts_on"), self.cleaned_data.get("ends_on")
        if starts_on and ends_on and ends_on < starts_on:
            self.add_error("ends_on", "Until must be the same day as from, or later")
        return cleaned

    @property
    def chosen(self) -> tuple[Role, Organisation, Coach | None]:
        """The role that is to be given, where, and for which coach; not asked about a supervisor."""
        role = Role(self.cleaned_data["role"])
        if role is Role.COACH:
            post: Post = self.cleaned_data["coach"]
            return role, post.pcn, post.coach
        return role, self.cleaned_data[self.WHERE[role]], None

    def refuse(self, fault: ValidationError) -> None:
        """Show what an action refused, beside the question that it is about."""
        about = fault.error_dict if hasattr(fault, "error_dict") else {NON_FIELD_ERRORS: fault.error_list}
        for name, faults in about.items():
            asked = next(iter(self.reveals["role"].get(self.cleaned_data["role"], [])), None)
            field = asked if name == "organisation" else name
            self.add_error(field if field in self.fields else None, faults)


def _within_reason(day: Any) -> Any:
    if day is not None and not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValidationError(f"The year must be between {FIRST_YEAR} and {LAST_YEAR}")
    return day
