"""The acceptance threshold of a mark, from first principles.

A tile of a key is n signs w_i that are fair and independent to anyone without the key. For a host
signal x chosen without the key, the score s = <x, w> / |x| obeys Hoeffding's inequality
(J. Am. Stat. Assoc. 58, 1963, theorem 2): P(s >= t) <= exp(-t*t / 2), whatever the picture is.
A detector takes the best of many tiles (payloads) at many positions under several keys, so the
union bound multiplies: P(any accepted) <= payloads * hypotheses * keys * exp(-t*t / 2).

What counts as a hypothesis: every (geometry, shift) that the search could end in for *this* host,
not only the ones it visited. Candidates that come from the picture alone (autocorrelation) do not
depend on the key and count once each; choices steered by the key's own template multiply.
Where the template steers freely (a fitted homography), the score of the data cells alone is used:
their signs are independent of the template's, so only the number of decodings counts.
"""

import math


def acceptance_threshold(
    *, payload_bits: float, hypotheses: int, keys: int, false_accept: float, share: float = 1.0
) -> float:
    """The smallest t with 2**payload_bits * hypotheses * keys * exp(-t*t/2) <= share * false_accept.

    `payload_bits` is log2 of the number of payloads that would be accepted (64 for a blind search,
    log2 of a short list's length when only its ids count). `share` splits the budget when a
    detector has several tests. ValueError on impossible numbers.
    """
    if hypotheses < 1 or keys < 1 or payload_bits < 0:
        raise ValueError("at least one hypothesis, one key and no negative payload bits")
    if not 0 < false_accept < 1 or not 0 < share <= 1:
        raise ValueError("false_accept is a probability, share a part of it")
    nats = payload_bits * math.log(2) + math.log(hypotheses) + math.log(keys)
    return math.sqrt(2 * (nats - math.log(share * false_accept)))
