"""The Merkle tree is RFC 6962's: checked against its definition and its published test vectors."""

from collections.abc import Sequence
from hashlib import sha256

import pytest

from scm_api.trail import merkle

# The leaves and roots of the reference implementation of certificate transparency.
INPUTS = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def defined(leaves: Sequence[bytes]) -> bytes:
    """The Merkle tree hash as RFC 6962 writes it down."""
    if len(leaves) <= 1:
        return leaves[0] if leaves else sha256().digest()
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return merkle.node_hash(defined(leaves[:split]), defined(leaves[split:]))


@pytest.mark.parametrize("count", range(1, 9))
def test_the_published_roots_come_out(count: int) -> None:
    leaves = [merkle.leaf_hash(data) for data in INPUTS[:count]]
    assert merkle.root(leaves).hex() == ROOTS[count - 1]


def test_trees_of_every_size_are_those_of_the_definition() -> None:
    leaves = [merkle.leaf_hash(str(n).encode()) for n in range(130)]
    for count in range(len(leaves) + 1):
        assert merkle.root(leaves[:count]) == defined(leaves[:count]), count


def test_a_leaf_cannot_pass_for_a_node() -> None:
    left, right = merkle.leaf_hash(b"a"), merkle.leaf_hash(b"b")
    assert merkle.leaf_hash(left + right) != merkle.node_hash(left, right)
