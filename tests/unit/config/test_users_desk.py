"""What admins do about users."""

from typing import Any

import pytest

from tbot_bot.interface.sessions import Sessions
from tests.unit.config.conftest import PASSWORD, step_up

NEW = "another long password"


class House:
    """An admin and a trader."""

    def __init__(self, rig: Any) -> None:
        self.rig = rig
        self.admin = rig.register()
        self.trader = rig.add_user(self.admin, "bob", "trader")

    def ask(self, kind: str, **body: object) -> Any:
        return self.rig.ask(kind, {**body, **step_up()}, self.admin)

    def row(self, username: str = "bob") -> dict[str, Any]:
        rows = self.rig.ask("users", token=self.admin).body["users"]
        (row,) = (one for one in rows if one["username"] == username)
        return dict(row)

    def logged_out(self) -> bool:
        web = Sessions(self.rig.paths, self.rig.clock).lookup(self.trader)
        return self.rig.ask("account", token=self.trader).code == "expired" and web is None


@pytest.fixture
def house(ready: Any) -> House:
    return House(ready)


def test_the_list_says_who_may_do_what_and_who_was_here(house: House) -> None:
    body = house.rig.ask("users", token=house.admin).body

    assert (body["default_role"], body["rbac"]) == ("viewer", True)
    assert [row["username"] for row in body["users"]] == ["ada", "bob"]
    row = house.row()
    assert (row["role"], row["totp"], row["disabled"], row["locked"]) == ("trader", False, False, False)
    assert row["last_login"] >= row["created_at"]


def test_a_user_without_a_role_gets_the_one_for_new_users(house: House) -> None:
    assert house.ask("user_add", username="carl", email="carl@example.com", role="", new_password=PASSWORD).ok
    assert house.row("carl")["role"] == "viewer"
    house.rig.save(house.admin, {"DEFAULT_USER_ROLE": "trader"})
    assert house.ask("user_add", username="dora", email="", role="", new_password=PASSWORD).ok
    assert house.row("dora")["role"] == "trader"
    assert house.row("dora")["last_login"] == ""


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("username", "x"),
        ("username", "ada"),
        ("username", "BoB"),
        ("email", "nonsense"),
        ("new_password", "short"),
        ("role", "root"),
        ("role", "Admin"),
    ],
)
def test_a_user_who_cannot_be_added_is_not(house: House, field: str, value: str) -> None:
    body = {"username": "carl", "email": "", "role": "viewer", "new_password": PASSWORD, field: value}

    reply = house.ask("user_add", **body)

    assert (reply.code, [fault["key"] for fault in reply.faults]) == ("invalid", [field])
    assert len(house.rig.ask("users", token=house.admin).body["users"]) == 2


def test_a_change_of_role_ends_the_logins_with_the_old_one(house: House) -> None:
    assert house.ask("user_change", username="bob", role="viewer").ok

    assert house.logged_out()
    again = house.rig.log_in("bob")
    assert again.body["role"] == "viewer"
    assert "needs the role trader" in house.rig.ask("start", token=again.body["token"]).message
    (row,) = house.rig.events("user_changed")
    assert (row["actor"], row["user"], row["role"], row["ip"]) == ("ada", "bob", "trader → viewer", "192.0.2.7")


def test_a_disabled_user_is_out_and_comes_back_when_enabled(house: House) -> None:
    assert house.ask("user_change", username="bob", disabled=True).ok
    assert house.logged_out()
    assert house.rig.log_in("bob").code == "bad_credentials"

    assert house.ask("user_change", username="bob", disabled=False).ok
    assert house.rig.log_in("bob").ok


def test_a_new_password_ends_logins_and_lockout(house: House) -> None:
    for _ in range(10):
        house.rig.log_in("bob", password="wrong")
    assert house.row()["locked"]

    assert house.ask("user_change", username="bob", new_password=NEW).ok

    assert house.logged_out()
    assert not house.row()["locked"]
    assert house.rig.log_in("bob", password=NEW).ok


def test_an_admin_removes_the_second_factor_of_someone_who_lost_it(house: House) -> None:
    house.rig.enrol(house.trader)
    assert house.row()["totp"]

    assert house.ask("user_change", username="bob", remove_totp=True).ok

    assert not house.row()["totp"]
    assert house.rig.log_in("bob").ok


def test_a_removed_user_is_gone_at_once(house: House) -> None:
    assert house.ask("user_remove", username="BOB").ok

    assert house.logged_out()
    assert house.rig.log_in("bob").code == "bad_credentials"
    (row,) = house.rig.events("user_removed")
    assert (row["user"], row["role"]) == ("bob", "trader")


@pytest.mark.parametrize(
    ("kind", "body"),
    [("user_remove", {}), ("user_change", {"role": "trader"}), ("user_change", {"disabled": True})],
)
def test_the_last_admin_stays(house: House, kind: str, body: dict[str, object]) -> None:
    reply = house.ask(kind, username="ada", **body)

    assert (reply.ok, reply.code) == (False, "not_allowed")
    assert "last admin" in reply.message
    assert house.row("ada")["role"] == "admin"
    assert house.rig.ask("account", token=house.admin).ok
    house.ask("user_change", username="bob", role="admin")
    assert house.ask(kind, username="ada", **body).ok


@pytest.mark.parametrize("kind", ["user_change", "user_remove"])
@pytest.mark.parametrize("name", ["", "nobody", 7, None, "bob\0"])
def test_an_unknown_user_is_a_fault_of_the_field(house: House, kind: str, name: object) -> None:
    reply = house.ask(kind, username=name, role="admin")

    assert (reply.code, reply.faults[0]["key"]) == ("invalid", "username")


@pytest.mark.parametrize(
    ("field", "value"),
    [("role", "root"), ("new_password", "short"), ("disabled", "false"), ("disabled", 1), ("remove_totp", "yes")],
)
def test_a_change_that_is_not_understood_changes_nothing(house: House, field: str, value: object) -> None:
    reply = house.ask("user_change", username="bob", **{"role": "admin", field: value})

    assert (reply.code, [fault["key"] for fault in reply.faults]) == ("invalid", [field])
    assert house.row()["role"] == "trader"
    assert not house.logged_out()


def test_without_roles_nobody_is_added_or_made_admin(house: House) -> None:
    house.rig.save(house.admin, {"RBAC_ENABLED": "false"})

    for reply in (
        house.ask("user_add", username="carl", email="", role="viewer", new_password=PASSWORD),
        house.ask("user_change", username="bob", role="admin"),
    ):
        assert (reply.ok, reply.code) == (False, "not_allowed")
        assert "RBAC_ENABLED" in reply.message
    body = house.rig.ask("users", token=house.admin).body
    assert (body["rbac"], [row["role"] for row in body["users"]]) == (False, ["admin", "trader"])
    assert house.ask("user_remove", username="bob").ok
