"""Problems of people, their sessions and their invitations."""

from scm_api.core.errors import Conflict, Problem, Rule, Text

_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="scm-api"'}


class LoginFailed(Problem):
    """One answer for an unknown e-mail, a wrong password, no password, a wrong code and a person
    who is switched off; the access log tells them apart. The attempt is counted."""

    status, code = 401, "login_failed"
    title = Text("Login failed", "登录失败")
    detail = Text(
        "The e-mail, the password or the code is not right.", "邮箱、密码或验证码不正确。"
    )

    def __init__(self) -> None:
        super().__init__(headers=_CHALLENGE, keep_writes=True)


class SecondFactorRequired(Problem):
    """Told only after the right password."""

    status, code = 401, "second_factor_required"
    title = Text("Second factor required", "需要第二验证因素")
    detail = Text(
        "The password is right; send totp_code or recovery_code too.",
        "密码正确;请同时提供 totp_code 或 recovery_code。",
    )

    def __init__(self) -> None:
        super().__init__(headers=_CHALLENGE)


class LoginThrottled(Problem):
    """Only callers from this network, or with this device, wait; `retry_after_seconds` grows."""

    status, code = 429, "login_throttled"
    retryable = True
    title = Text("Too many failed attempts", "失败次数过多")
    detail = Text(
        "Too many attempts failed; try again in {retry_after_seconds} s.",
        "失败次数过多,请在 {retry_after_seconds} 秒后重试。",
    )

    def __init__(self, retry_after_seconds: int, *, keep_writes: bool = False) -> None:
        super().__init__(
            headers={"Retry-After": str(retry_after_seconds)},
            keep_writes=keep_writes,
            retry_after_seconds=retry_after_seconds,
        )


class ProofFailed(Problem):
    """The attempt is counted: after five the session waits."""

    status, code = 403, "proof_failed"
    title = Text("Not proved", "身份未核实")
    detail = Text("The password or the code is not right.", "密码或验证码不正确。")

    def __init__(self) -> None:
        super().__init__(keep_writes=True)


class PersonRequired(Problem):
    status, code = 403, "person_required"
    title = Text("Only for people", "仅限人员")
    detail = Text(
        "Only a person who is logged in can do this, not an API key.",
        "此操作仅限已登录的人员,不适用于 API 密钥。",
    )


class LinkNotValid(Conflict):
    """Unknown, used, replaced or expired: the answer is the same."""

    code = "link_not_valid"
    title = Text("The link is not valid", "链接无效")
    detail = Text(
        "The link is unknown, used, replaced or expired; ask for a new one.",
        "链接不存在、已使用、已更换或已过期,请重新索取。",
    )


class OwnMembership(Problem):
    status, code = 403, "own_membership"
    title = Text("Not for yourself", "不能更改自己")
    detail = Text(
        "Nobody changes or ends his own membership; ask another administrator.",
        "不能更改或结束自己的成员资格,请联系其他管理员。",
    )


class LastAdministrator(Conflict):
    code = "last_administrator"
    title = Text("The last administrator", "最后一名管理员")
    detail = Text(
        "{email} is the last active administrator without limits; appoint another first.",
        "{email} 是最后一名不受限的在职管理员,请先任命另一名管理员。",
    )


class AccountShared(Conflict):
    code = "account_shared"
    title = Text("Not this organization's account alone", "账户不只属于本组织")
    detail = Text(
        "This account is not this organization's alone: the operator can open it again "
        "(scm-api users reset), and suspending the person keeps him out of this organization.",
        "该账户不只属于本组织:可由系统运维人员恢复(scm-api users reset),"
        "或停用该成员以禁止其访问本组织。",
    )


class InvitationPending(Conflict):
    code = "invitation_pending"
    title = Text("The invitation is not accepted yet", "邀请尚未接受")
    detail = Text("{email} has not accepted the invitation yet.", "{email} 尚未接受邀请。")


class AlreadyMember(Conflict):
    code = "already_member"
    title = Text("Already a member", "已是成员")
    detail = Text("{email} already belongs to this organization.", "{email} 已属于本组织。")


class SecondFactorActive(Conflict):
    code = "second_factor_active"
    title = Text("There is a second factor already", "已启用第二验证因素")
    detail = Text(
        "Remove the second factor before setting up another.", "请先移除现有的第二验证因素。"
    )


class NoSecondFactor(Conflict):
    code = "no_second_factor"
    title = Text("No second factor", "没有第二验证因素")
    detail = Text(
        "There is no second factor to confirm or remove.", "没有可确认或移除的第二验证因素。"
    )


EMAIL = Rule("email", Text("Must be an e-mail address.", "须为电子邮箱地址。"))
