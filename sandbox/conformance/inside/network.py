"""Acts that reach for a network, the host's services, or a socket family that is none of a container's business."""

import errno
import os
import socket

from .acts import Facts, act, call, denied, refused, text

_NO_WAY_OUT = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL)
_REFUSED = (errno.ECONNREFUSED, errno.ENOENT)
_UNKNOWN = (errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT, errno.EINVAL)
_ALLOWED = (1, 2, 10, 16)
_NAMED = {"vsock": 40, "packet": 17, "bluetooth": 31, "alg": 38}


def _connect(family: int, kind: int, address: object) -> None:
    with socket.socket(family, kind) as probe:
        probe.settimeout(0.5)
        probe.connect(address)  # type: ignore[arg-type]  # an address of whichever family
        if kind == socket.SOCK_DGRAM:
            probe.send(b"x")


@act("network interfaces", "any network interface but loopback")
def interfaces(facts: Facts) -> str | None:
    names = {line.split(":")[0].strip() for line in text("/proc/net/dev").splitlines()[2:]}
    names |= {name for _, name in socket.if_nameindex()}
    # Kernels with tunnel modules show an unconfigured device of each in every fresh network namespace.
    inert = {"lo", "tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "sit0", "ip6tnl0", "ip6gre0"}
    return f"there are {sorted(names - inert)}" if names - inert else None


@act("TCP", "connections to other machines")
def tcp(facts: Facts) -> str | None:
    attempts = {
        f"connect to {address}": address for address in ("192.0.2.1", "1.1.1.1", "10.0.0.1", "172.17.0.1")
    }
    return denied(
        {
            what: lambda host=address: _connect(socket.AF_INET, socket.SOCK_STREAM, (host, 443))  # type: ignore[misc]
            for what, address in attempts.items()
        },
        _NO_WAY_OUT,
    )


@act("TCP over IPv6", "connections to other machines by IPv6")
def tcp6(facts: Facts) -> str | None:
    address = ("2001:db8::1", 443, 0, 0)
    return denied({"connect": lambda: _connect(socket.AF_INET6, socket.SOCK_STREAM, address)},
                  (*_NO_WAY_OUT, *_UNKNOWN))  # fmt: skip


@act("UDP", "datagrams to other machines")
def udp(facts: Facts) -> str | None:
    return denied(
        {"send": lambda: _connect(socket.AF_INET, socket.SOCK_DGRAM, ("192.0.2.1", 53))}, _NO_WAY_OUT
    )


@act("metadata address", "the cloud provider's metadata service, which hands out the host's credentials")
def metadata(facts: Facts) -> str | None:
    address = ("169.254.169.254", 80)
    return denied({"connect": lambda: _connect(socket.AF_INET, socket.SOCK_STREAM, address)}, _NO_WAY_OUT)


@act("DNS", "names of other machines, and the addresses of the host's name servers")
def dns(facts: Facts) -> str | None:
    servers = {
        line.split()[1] for line in text("/etc/resolv.conf").splitlines() if line.startswith("nameserver ")
    }
    if servers - {"127.0.0.1"}:
        return f"name servers {sorted(servers)}"
    reached = _NO_WAY_OUT + _REFUSED
    return denied({"ask": lambda: _ask_for_a_name(("127.0.0.1", 53))}, reached)


def _ask_for_a_name(server: tuple[str, int]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(0.5)
        probe.connect(server)
        probe.send(bytes.fromhex("000101000001000000000000076578616d706c6503636f6d0000010001"))
        probe.recv(512)


@act("host's loopback", "services that listen on the host's own loopback address")
def loopback(facts: Facts) -> str | None:
    address = ("127.0.0.1", facts["port"])
    return denied({"connect": lambda: _connect(socket.AF_INET, socket.SOCK_STREAM, address)}, _REFUSED)


@act("host's abstract sockets", "Unix sockets of the host that have no file")
def abstract(facts: Facts) -> str | None:
    address = "\0" + str(facts["abstract"])
    return denied({"connect": lambda: _connect(socket.AF_UNIX, socket.SOCK_STREAM, address)}, _REFUSED)


@act("vsock", "AF_VSOCK: a virtual machine's host, which network `none` leaves open")
def vsock(facts: Facts) -> str | None:
    return refused(stream=(41, 40, 1, 0), datagram=(41, 40, 2, 0))


@act("packet sockets", "AF_PACKET: raw frames of an interface")
def packet(facts: Facts) -> str | None:
    return refused(raw=(41, 17, 3, 0x0300), datagram=(41, 17, 2, 0x0300))


@act("raw IP sockets", "SOCK_RAW: forged packets")
def raw(facts: Facts) -> str | None:
    return refused(icmp=(41, 2, 3, 1), raw=(41, 2, 3, 255), icmp6=(41, 10, 3, 58))


@act("Bluetooth sockets", "AF_BLUETOOTH: the host's radio")
def bluetooth(facts: Facts) -> str | None:
    return denied({"socket": lambda: socket.socket(31, socket.SOCK_RAW, 1)}, _UNKNOWN)


@act("kernel crypto sockets", "AF_ALG: a large part of the kernel")
def alg(facts: Facts) -> str | None:
    return refused(socket=(41, 38, 5, 0))


@act("other socket families", "every further family but Unix, IPv4, IPv6 and netlink")
def families(facts: Facts) -> str | None:
    done = []
    for family in range(3, 48):
        if family in _ALLOWED or family in _NAMED.values():
            continue
        for kind in (1, 2, 3, 5):
            result, _ = call(41, family, kind, 0)
            if result >= 0:
                os.close(result)
                done.append(str(family))
    return f"sockets of families {', '.join(dict.fromkeys(done))}" if done else None


@act("network set-up", "new interfaces, routes and addresses by netlink")
def netlink(facts: Facts) -> str | None:
    import struct

    new_dummy = struct.pack("=BBHiII", 0, 0, 0, 0, 0, 0) + struct.pack("=HH", 8, 18 | 0x8000)
    new_dummy += struct.pack("=HH", 4, 1)
    message = struct.pack("=IHHII", 16 + len(new_dummy), 16, 0x605, 1, 0) + new_dummy
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as link:
            link.settimeout(0.5)
            link.send(message)
            answer = link.recv(4096)
    except OSError as error:
        return None if error.errno in (errno.EPERM, errno.EACCES, errno.EOPNOTSUPP) else f"netlink: {error}"
    kind, code = struct.unpack_from("=H", answer, 4)[0], struct.unpack_from("=i", answer, 16)[0]
    return (
        None
        if kind == 2 and -code in (errno.EPERM, errno.EACCES, errno.EOPNOTSUPP)
        else f"answer {kind}, {code}"
    )
