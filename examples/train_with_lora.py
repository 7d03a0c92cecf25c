"""Three reinforcement steps on a low-rank adapter of the embedded model, into a temporary folder."""

from __future__ import annotations

import json
import tempfile
import warnings
from pathlib import Path

from equipoise.models.load import load
from equipoise.training.recipe import load_recipe
from equipoise.training.run import train

OVERRIDES = (
    "lora.rank=4",
    "lora.alpha=8",
    "rl.steps=3",
    "rl.learning_rate=5e-3",
    "rl.exact_every=1",
    "rl.report_to=[]",
    "play.rollouts=8",
)


def main() -> None:
    """Trains, prints the curve, and loads the adapter back."""
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers\..*")
    recipe = load_recipe("kuhn_poker/best_response", OVERRIDES)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        trained = train(recipe, out, label="LoRA")
        for line in (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines():
            values = json.loads(line)
            print(f"after {values['step'] - 1} steps: exact NashConv {values['nash_conv']:.4f}")
        print("model folder:", ", ".join(sorted(path.name for path in trained.iterdir())))
        model, _ = load(trained)  # the adapter on its base model
        adapter = sum(p.numel() for name, p in model.named_parameters() if "lora_" in name)
        print(f"adapter: {adapter} of {sum(p.numel() for p in model.parameters())} weights")


if __name__ == "__main__":
    main()
