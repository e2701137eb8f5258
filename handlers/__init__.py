"""One file per stage. A handler looks at facts and returns a decision; it does nothing itself."""

from bot.machine.decide import Handlers, StageHandlers
from bot.machine.stages import Stage
from handlers import canceled, code_review, dev, done, merge, plan, plan_review, ready, research, todo

HANDLERS: Handlers = {
    Stage.TODO: StageHandlers(todo.epic, todo.ticket),
    Stage.RESEARCH: StageHandlers(None, research.ticket),
    Stage.PLAN: StageHandlers(plan.epic, plan.ticket),
    Stage.PLAN_REVIEW: StageHandlers(plan_review.epic, plan_review.ticket),
    Stage.READY: StageHandlers(None, ready.ticket),
    Stage.DEV: StageHandlers(dev.epic, dev.ticket),
    Stage.CODE_REVIEW: StageHandlers(code_review.epic, code_review.ticket),
    Stage.MERGE: StageHandlers(merge.epic, merge.ticket),
    Stage.DONE: StageHandlers(done.epic, done.ticket),
    Stage.CANCELED: StageHandlers(canceled.epic, canceled.ticket),
}
"""The table that `bot/app.py` hands to the loop."""

__all__ = ["HANDLERS"]
