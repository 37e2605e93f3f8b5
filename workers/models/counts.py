"""Numbers of rows that a pass may have: those in which every row gets the bits that the full pass gives it.

Libraries choose how they sum by the shape of a product, so another number of rows may move the last bits of each. On
processors it often does not; whether it does here is tried once for each loaded model, not assumed.
"""

from typing import Any

import torch

from workers.models.passes import SEAT_ROWS, Newest, Shape, SharedPass
from workers.models.prompts import Prompt
from workers.models.readings import PREFIX_BLOCK, SUFFIX_BLOCK, Reader
from workers.models.verifier import Listener

# Fewer rows at a time save little: products with the weights cost half as much for 1 row as for 16.
STEP = 16
ROOM = 32


@torch.inference_mode()
def counts_of(model: Any, listener: Listener | None = None) -> list[int]:
    """Return the numbers of rows, smallest first, that agree bit for bit with each other and with a full pass.

    A graphics card computes few rows hardly faster than many: there it is the full pass alone.
    """
    shape = Shape(PREFIX_BLOCK, SUFFIX_BLOCK, ROOM)
    rows = SharedPass(model, shape).seats * SEAT_ROWS
    if model.device.type != "cpu":
        return [rows]
    tried = range(STEP, rows, STEP)
    tokens = [place % model.config.get_text_config().vocab_size for place in range(7, 7 + rows)]
    reading = Reader(model).read([Prompt(tuple(tokens[:PREFIX_BLOCK]), tuple(tokens[:SUFFIX_BLOCK]))])[0]
    current = SharedPass(model, shape, [*tried, rows])
    for seat in range(current.seats):
        current.seat(seat, reading)
    newest = [Newest(place, token, 0) for place, token in enumerate(tokens)]

    def found(count: int) -> list[torch.Tensor]:
        logits = current.forward(newest[:count])
        # The probability of a token is summed over its row: that too may be done otherwise for fewer rows.
        sums = torch.logsumexp(logits.float(), -1)
        return [logits, sums, listener.heard()] if listener else [logits, sums]

    expected = found(rows)
    return [
        *(
            count
            for count in tried
            if all(torch.equal(some, all_rows[:count]) for some, all_rows in zip(found(count), expected, strict=True))
        ),
        rows,
    ]
