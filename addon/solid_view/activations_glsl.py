"""The activations and their slopes as GLSL on four units at once; exponentials stay finite for any argument.

`z` is the argument; in a slope `a` is the activation's value there. `engine/network/activations.py` is the reference.
"""

from __future__ import annotations

SIGMOID = "1.0 / (1.0 + exp(min(-z, 80.0)))"
TANH = "1.0 - 2.0 / (1.0 + exp(min(2.0 * z, 80.0)))"

VALUES = {
    "none": "z",
    "relu": "max(z, 0.0)",
    "leaky_relu": "max(z, 0.01 * z)",
    "elu": "max(z, 0.0) + exp(min(z, 0.0)) - 1.0",
    "softplus": "max(z, 0.0) + log(1.0 + exp(-abs(z)))",
    "tanh": TANH,
    "sigmoid": SIGMOID,
    "sine": "sin(z)",
    "silu": "z / (1.0 + exp(min(-z, 80.0)))",
    "gelu": "z * normal_cdf(z)",
    "hard_gelu": "z * smooth_gate(clamp(0.4 * z, -1.0, 1.0))",
}

SLOPES = {
    "none": "1.0 + 0.0 * z",
    "relu": "step(0.0, z)",
    "leaky_relu": "0.01 + 0.99 * step(0.0, z)",
    "elu": "exp(min(z, 0.0))",
    "softplus": SIGMOID,
    "tanh": "1.0 - a * a",
    "sigmoid": "a * (1.0 - a)",
    "sine": "cos(z)",
    "silu": "silu_slope(z)",
    "gelu": "normal_cdf(z) + 0.39894228 * z * exp(-0.5 * z * z)",
    "hard_gelu": "hard_gelu_slope(z, clamp(0.4 * z, -1.0, 1.0))",
}

HELPERS = {
    "silu": """vec4 silu_slope(vec4 z)
{
  vec4 share = 1.0 / (1.0 + exp(min(-z, 80.0)));
  return share * (1.0 + z * (1.0 - share));
}
""",
    # The error function by Abramowitz and Stegun 7.1.26, 1.5e-7 off at most.
    "gelu": """vec4 normal_cdf(vec4 z)
{
  vec4 x = 0.70710678 * abs(z);
  vec4 t = 1.0 / (1.0 + 0.3275911 * x);
  vec4 p = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  vec4 tail = 0.5 * p * exp(-x * x);
  return 0.5 + sign(z) * (0.5 - tail);
}
""",
    "hard_gelu": """vec4 smooth_gate(vec4 u)
{
  return 0.5 + u * (0.9375 + u * u * (0.1875 * u * u - 0.625));
}
vec4 hard_gelu_slope(vec4 z, vec4 u)
{
  vec4 rest = 1.0 - u * u;
  return smooth_gate(u) + 0.375 * z * rest * rest;
}
""",
}


def activation_source(activation: str) -> str:
    """Give `vec4 activate(vec4 z)` and `vec4 activation_slope(vec4 z, vec4 a)` with what they call."""
    return (
        f"{HELPERS.get(activation, '')}"
        f"vec4 activate(vec4 z)\n{{\n  return {VALUES[activation]};\n}}\n"
        f"vec4 activation_slope(vec4 z, vec4 a)\n{{\n  return {SLOPES[activation]};\n}}\n"
    )
