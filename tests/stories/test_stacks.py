"""Stacks: what stands on other work follows it, whatever becomes of that; nothing is lost, nothing is there twice."""


async def test_a_stack_lands(world):
    epic = await world.built({"one": (), "two": ("one",), "three": ("two",)})
    await world.approved(epic, "Code Review")
    await world.is_in(epic, "Done", 60)
