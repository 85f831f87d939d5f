"""Pairs in which a stop is moved: what one caller makes of the result may be right by chance."""

from verdict_case import case

RATIO = """
def gain(have, want):
    return (have * ((have + 1e-9).log().detach() - (want + 1e-9).log())).sum(-1)

def even(have, want):
    both = 0.5 * (have + want)
    return 0.5 * gain(have, both) + 0.5 * gain(want, both)
"""
CENTRE = """
def centre(weights, places):
    '''weights: a tensor of shape (2, 3, 4, 4)
    places: a tensor of shape (4,)'''
    sums = []
    for axis in range(2, weights.ndim):
        rest = weights
        for other in range(weights.ndim - 1, 1, -1):
            if other != axis:
                rest = rest.sum(other)
        sums.append((rest * places).sum(-1).detach())
    return torch.stack(sums, -1)

def middle(line):
    '''line: a tensor of shape (B, C, L)'''
    return centre(line, torch.linspace(-1.0, 1.0, line.shape[-1]))
"""

MOVES = [
    case("a stop is gone from a ratio", RATIO, ".log().detach()", ".log()", "confirmed"),
    case(
        "a stop round the whole ratio",
        RATIO,
        "((have + 1e-9).log().detach() - (want + 1e-9).log())",
        "((have + 1e-9).log() - (want + 1e-9).log()).detach()",
        "inconclusive",
        "stop the gradient",
    ),
    case("a stop is gone from sums", CENTRE, ".sum(-1).detach()", ".sum(-1)", "confirmed"),
    case(
        "a stop moved to where one caller does not come",
        CENTRE,
        """\
                rest = rest.sum(other)
        sums.append((rest * places).sum(-1).detach())
""",
        """\
                rest = rest.sum(other).detach()
        sums.append((rest * places).sum(-1))
""",
        "inconclusive",
    ),
]
