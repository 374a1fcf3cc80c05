"""Addresses of Ray clusters: which can be used, and whether anybody listens there."""

from __future__ import annotations

import os
import socket

from hpo_vs_adapt.wording import Problem

__all__ = ["AddressProblem", "check_address", "no_cluster"]

_PATIENCE_SECONDS = 5.0


class AddressProblem(Problem):
    """There is no Ray cluster where one was said to be."""


def check_address(address: str) -> None:
    """See that somebody listens at an address; Ray would try for a minute.

    Raises:
        AddressProblem: If nobody does, or it is of another kind.
    """
    place = os.environ.get("RAY_ADDRESS") if address == "auto" else address
    if place is None:
        return  # Ray looks for a cluster on this machine, which is quick
    if "://" in place:
        # Ray Client runs all of Tune on the cluster, and with it what writes records
        # and Optuna studies, which must be here.
        raise AddressProblem(
            f"`address` must be auto or HOST:PORT; got {place!r}. Give the address "
            "of the cluster's head (`ray start` prints it), on one of its machines."
        )
    host, _, port = place.rpartition(":")
    try:
        socket.create_connection(
            (host.strip("[]"), int(port)), timeout=_PATIENCE_SECONDS
        ).close()
    except (OSError, ValueError) as error:
        raise no_cluster(address) from error


def no_cluster(address: str | None) -> AddressProblem:
    """Return what to say where no cluster could be joined."""
    return AddressProblem(
        f"`address` must be that of a running Ray cluster; got {address!r}, where "
        "nobody answers this machine. `ray start --head` starts one and prints its "
        "address; one that asks for a token takes it from who sets RAY_AUTH_MODE=token."
    )
