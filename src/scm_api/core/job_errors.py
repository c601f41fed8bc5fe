"""Problems of background work."""

from scm_api.core.errors import Problem, Text


class NoLongerActive(Problem):
    status, code = 403, "no_longer_active"
    title = Text("No longer active", "已停用")
    detail = Text(
        "Whoever asked for this job may not work here any more: the key was revoked, or the "
        "person left or was suspended.",
        "任务的发起者已无权在此操作:密钥已吊销,或人员已离开或被停用。",
    )


class TooManyJobs(Problem):
    """`kind` is the kind of job that is limited; absent when it is the total of all kinds."""

    status, code = 429, "too_many_jobs"
    retryable = True
    title = Text("Too many jobs at once", "同时进行的任务过多")
    detail = Text(
        "At most {limit} of these jobs may wait or run at once; let one end, or cancel one.",
        "此类任务同时等待或运行的数量上限为 {limit};请等待其结束或取消其中一个。",
    )
