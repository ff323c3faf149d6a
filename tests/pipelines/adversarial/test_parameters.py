"""What may be said of an adversarial pipeline, and what is told where it does not fit."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

from uncrappify.errors import UserError
from uncrappify.parameters.tree import complete, parse_section

CONF = Path(__file__).parents[3] / "conf"
SECTION = yaml.safe_load((CONF / "base/parameters/restore.yml").read_text("utf-8"))["restore"]


def changed(*changes: tuple[str, Any]) -> dict[str, Any]:
    section: Any = yaml.safe_load(yaml.safe_dump(SECTION))
    for path, value in changes:
        *parents, last = path.split(".")
        place = section
        for key in parents:
            place = place[int(key) if key.isdigit() else key]
        place[last] = value
    return section


def parse(*changes: tuple[str, Any]) -> Any:
    return parse_section("restore", changed(*changes), SECTION)


def test_the_gan_has_the_generators_network() -> None:
    parameters = parse(("generator.model.upscaler", {"scale": 3, "channels": 20, "blocks": 2}))
    assert parameters.gan.model == parameters.generator.model
    assert parameters.gan.model.options.channels == 20


def test_weights_to_start_from_are_not_the_generators() -> None:
    parameters = parse(("generator.model.weights", "generator.safetensors"))
    assert parameters.gan.model.weights is None
    assert parse(("gan.model", {"weights": "mine.safetensors"})).gan.model.weights == "mine.safetensors"


def test_what_is_complete_stays_as_it_is() -> None:
    once = complete({"restore": SECTION}, {"restore": SECTION})
    assert complete(once, {"restore": SECTION}) == once


def test_a_smoke_run_takes_two_small_steps_with_every_model() -> None:
    tree = complete({"restore": SECTION, "smoke": True}, {"restore": SECTION})["restore"]
    stages = [tree[name]["training"]["stages"][0] for name in ("generator", "critic", "gan")]
    # The smallest that the critic can judge, 32, as a multiple of the scale.
    assert [(stage["steps"], stage["size"]) for stage in stages] == [(2, 33)] * 3
    assert tree["critic"]["training"]["valid_crops"] == 1


def test_variants_are_left_out_where_the_source_has_pairs() -> None:
    pairs = {"kind": "pairs", "pairs": {"degraded": "bad", "target": "good"}}
    parameters = parse(("source", pairs), ("evaluation", {}))
    assert [section.training.variants for section in (parameters.generator, parameters.gan)] == [0, 0]


def merged(env: str) -> Any:
    files = [CONF / name / "parameters/restore.yml" for name in ("base", env)]
    given: Any = OmegaConf.to_container(OmegaConf.merge(*map(OmegaConf.load, files)))
    return parse_section("restore", given["restore"], SECTION)


def test_the_lesson_has_the_lessons_networks_and_schedule() -> None:
    lesson = merged("lesson")
    critic = lesson.critic.model.options
    assert (critic.channels, critic.blocks, critic.dropout, critic.self_attention) == (128, 3, 0.15, True)
    assert (lesson.objective, lesson.gan.training.strategy, lesson.gan.training.betas) == ("bce", "adaptive", (0, 0.99))
    assert lesson.gan.training.adaptive.threshold == 0.65
    stages = [(stage.size, stage.batch_size, stage.epochs, stage.lr) for stage in lesson.gan.training.stages]
    assert stages == [(128, 32, 40, 1e-4), (192, 16, 10, 5e-5)]
    assert all(stage.critic_lr == 5 * stage.lr and stage.freeze_encoder for stage in lesson.gan.training.stages)
    assert lesson.generator.model.options.self_attention


def test_the_benchmark_trains_longer_on_photographs_that_have_variety_enough() -> None:
    benchmark = merged("benchmark")
    assert {section.training.variants for section in benchmark.networks.values()} == {0}
    assert benchmark.gan.training.stages[0].steps > merged("base").gan.training.stages[0].steps


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("recipe", []), "restore.generator.model.upscaler.scale: the scale is 3, but"),
        (("gan.model", {"upscaler": {"scale": 3, "channels": 8}}), "restore.gan.model: it is the generator's network"),
        (("gan.training.stages.0.size", 24), "a critic of 2 blocks judges crops of 32 pixels or more, not of 24"),
        (("critic.training.stages.0.size", 30), "restore.critic.training.stages.0.size: a critic of 2 blocks"),
        (("gan.training.stages.0.size", 100), "100 is no multiple of the model's scale 3. Take 102."),
        (
            ("critic.training.stages", []),
            "restore.critic.training.stages: the gan starts from the critic, which is not",
        ),
        (("generator.training.stages", []), "the gan starts from the generator, which is not trained"),
        (("delivers", "critic"), "restore.delivers: expected generator or gan"),
        (("delivers", "best"), "restore.delivers: expected generator or gan"),
        (("gan.training.stages.0.freeze_encoder", True), "the model upscaler has no encoder"),
        (("gan.training.stages.0.schedule", "one_cycle"), "keep their rates"),
        (("objective", "wgan"), 'restore.objective: there is no choice "wgan"'),
    ],
)
def test_what_does_not_fit_is_told(change: tuple[str, Any], told: str) -> None:
    with pytest.raises(UserError) as raised:
        parse(change)
    assert told in str(raised.value)


@pytest.mark.parametrize("recipe", [[], [{"grey": {"probability": 0}}]], ids=["empty", "never"])
def test_a_critic_needs_something_to_find(recipe: list[Any]) -> None:
    with pytest.raises(UserError, match=r"restore\.recipe: it changes nothing, so generated pictures are good ones"):
        parse(("recipe", recipe), ("generator.model.upscaler", {"scale": 1}))


def test_r3_wants_a_critic_without_dropout() -> None:
    with pytest.raises(UserError, match=r"critic\.model\.patches\.dropout: the objective r3 compares"):
        parse(("objective", "r3"), ("critic.model.patches", {"dropout": 0.1}))


def test_without_a_gan_a_recipe_may_change_nothing() -> None:
    section = [("recipe", []), ("gan.training.stages", []), ("generator.model.upscaler", {"scale": 1})]
    assert parse(*section).recipe.root == []
