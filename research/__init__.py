"""Research scripts, run from a checkout as `python -m research.NAME` and never installed with the package.

Each script checks a claim of the product with figures that can be computed again, or builds what the package ships:

- `gradient_audit`: what each credit rule's gradient is worth against the exact one, in two small games;
- `model_gradients`: the same on a language model, against an estimate of the true gradient;
- `tabular_alignment`: what each alignment rule teaches a policy of five numbers;
- `tiny`, `tiny_talk`: build the two embedded models.
"""
