"""Work that outlives the page it was begun on: every process on one store sees it, one of them does it."""

from avcache.ops.jobs.desk import JobRunning, Jobs
from avcache.ops.jobs.job import ENDED, Job, JobState
from avcache.ops.jobs.run import Run, Stopped
from avcache.ops.jobs.worker import Work, Worker

__all__ = ["ENDED", "Job", "JobRunning", "JobState", "Jobs", "Run", "Stopped", "Work", "Worker"]
