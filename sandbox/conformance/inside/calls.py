"""Acts that are one system call: mounts, namespaces, other processes, the kernel, and calls by a foreign number."""

import ctypes
import errno
import mmap
import os
import signal
import struct

from .acts import REFUSED, Facts, act, call, refused

_USER, _MOUNT, _CGROUP, _UTS, _IPC, _PID, _NET, _TIME = (
    *(0x10000000, 0x00020000, 0x02000000, 0x04000000),
    *(0x08000000, 0x20000000, 0x40000000, 0x00000080),
)
_HERE = -100  # AT_FDCWD


def _long(value: int) -> int:
    return ctypes.c_long(value).value


@act("mount", "mounting a file system")
def mount(facts: Facts) -> str | None:
    return refused(tmpfs=(165, b"none", b"/output", b"tmpfs", 0, None))


@act("bind mount", "showing one directory as another")
def bind(facts: Facts) -> str | None:
    return refused(bind=(165, b"/", b"/output", None, 4096, None))


@act("remount", "making a read-only mount writable")
def remount(facts: Facts) -> str | None:
    return refused(
        input=(165, None, b"/input", None, 32 | 4096, None), sys=(165, None, b"/sys", None, 32, None)
    )


@act("unmount", "uncovering what lies under a mount")
def unmount(facts: Facts) -> str | None:
    return refused(input=(166, b"/input", 2), proc=(166, b"/proc", 2))


@act("new mount calls", "the mount calls that take file descriptors")
def new_mounts(facts: Facts) -> str | None:
    attributes = struct.pack("=QQQQ", 0, 1, 0, 0)
    return refused(
        fsopen=(430, b"tmpfs", 0),
        fspick=(433, _HERE, b"/input", 0),
        open_tree=(428, _HERE, b"/", 0),
        move_mount=(429, _HERE, b"/input", _HERE, b"/output", 0),
        fsconfig=(431, 0, 6, None, None, 0),
        fsmount=(432, 0, 0, 0),
        mount_setattr=(442, _HERE, b"/input", 0, attributes, len(attributes)),
    )


@act("chroot", "another root directory")
def chroot(facts: Facts) -> str | None:
    return refused(chroot=(161, b"/output"))


@act("pivot_root", "exchanging the root file system")
def pivot_root(facts: Facts) -> str | None:
    return refused(pivot_root=(155, b".", b"."))


@act("user namespaces", "becoming root of a namespace of one's own")
def user_namespace(facts: Facts) -> str | None:
    return refused(unshare=(272, _USER))


@act("unshare", "new namespaces of every kind")
def unshare(facts: Facts) -> str | None:
    kinds = {
        "mount": _MOUNT,
        "cgroup": _CGROUP,
        "uts": _UTS,
        "ipc": _IPC,
        "pid": _PID,
        "net": _NET,
        "time": _TIME,
    }
    return refused(**{kind: (272, flag) for kind, flag in kinds.items()})


@act("clone with namespaces", "new namespaces by clone, for all of which a user namespace would be the key")
def clone(facts: Facts) -> str | None:
    for flags in (_USER, _USER | _MOUNT, _USER | _NET, _PID):
        result, code = call(56, _long(flags | signal.SIGCHLD), 0, 0, 0, 0)
        if result == 0:
            os._exit(0)
        if code not in REFUSED:
            return f"clone with {flags:#x} made a process"
    return None


@act("clone3", "clone3, whose flags no filter can see")
def clone3(facts: Facts) -> str | None:
    result, code = call(435, struct.pack("=11Q", _USER, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, 0, 0, 0), 88)
    if result == 0:
        os._exit(0)
    return None if code in REFUSED else "clone3 made a process in a new user namespace"


@act("setns", "entering another namespace")
def setns(facts: Facts) -> str | None:
    own = "/proc/self/ns/uts"
    namespace = os.open(own if os.path.exists(own) else "/proc/self", os.O_RDONLY)
    return refused(setns=(308, namespace, _UTS), pidfd=(308, namespace, 0))


@act("ptrace", "tracing processes")
def ptrace(facts: Facts) -> str | None:
    return refused(seize=(101, 0x4206, os.getppid(), 0, 0), trace_me=(101, 0, 0, 0, 0))


@act("memory of other processes", "reading and writing other processes' memory, and taking their files")
def other_memory(facts: Facts) -> str | None:
    own = os.getpid()
    return refused(
        process_vm_readv=(310, own, None, 0, None, 0, 0),
        process_vm_writev=(311, own, None, 0, None, 0, 0),
        kcmp=(312, own, own, 0, 0, 1),
        pidfd_getfd=(438, 0, 0, 0),
        process_madvise=(440, 0, None, 0, 20, 0),
    )


@act("bpf", "programs and maps inside the kernel")
def bpf(facts: Facts) -> str | None:
    attributes = struct.pack("=IIII", 2, 4, 4, 1) + bytes(112)
    return refused(map=(321, 0, attributes, len(attributes)))


@act("perf", "performance counters, with which other programs can be watched")
def perf(facts: Facts) -> str | None:
    attributes = struct.pack("=IIQ", 1, 128, 0) + bytes(24) + struct.pack("=Q", 0x61) + bytes(80)
    return refused(perf_event_open=(298, attributes, 0, -1, -1, 0))


@act("userfaultfd", "stopping the kernel in the middle of a copy")
def userfaultfd(facts: Facts) -> str | None:
    return refused(userfaultfd=(323, os.O_CLOEXEC | 1))


@act("io_uring", "calls that no filter sees")
def io_uring(facts: Facts) -> str | None:
    return refused(
        setup=(425, 1, bytes(120)), enter=(426, 0, 0, 0, 0, None, 0), register=(427, 0, 0, None, 0)
    )


@act("keyrings", "the kernel's keys, which are not kept apart by container")
def keyrings(facts: Facts) -> str | None:
    return refused(
        keyctl=(250, 0, -3, 0, 0, 0),
        add_key=(248, b"user", b"proctor", b"x", 1, -2),
        request_key=(249, b"user", b"proctor", None, 0),
    )


@act("kernel modules", "loading and removing kernel modules")
def modules(facts: Facts) -> str | None:
    return refused(
        init_module=(175, None, 0, b""),
        finit_module=(313, 0, b"", 0),
        delete_module=(176, b"proctor_no_such_module", os.O_NONBLOCK),
    )


@act("kexec", "starting another kernel")
def kexec(facts: Facts) -> str | None:
    return refused(kexec_load=(246, 0, 0, None, 0xFFFF), kexec_file_load=(320, -1, -1, 0, None, 0xFFFF))


@act("reboot", "stopping or restarting the host")
def reboot(facts: Facts) -> str | None:
    return refused(reboot=(169, 0, 0, 0, None))  # numbers that no kernel would obey


@act("swap", "adding or removing swap")
def swap(facts: Facts) -> str | None:
    return refused(swapon=(167, b"/proctor/no-such-file", 0), swapoff=(168, b"/proctor/no-such-file"))


@act("quotas and accounting", "quotas and process accounting of the host")
def quotas(facts: Facts) -> str | None:
    return refused(
        quotactl=(179, 0x800001 << 8, None, 0, None),
        quotactl_fd=(443, 0, 0x800001 << 8, 0, None),
        acct=(163, b"/proctor/no-such-file"),
    )


@act("clock", "setting the host's clock")
def clock(facts: Facts) -> str | None:
    return refused(
        settimeofday=(164, None, None),
        clock_settime=(227, 99, struct.pack("=qq", 0, 0)),
        adjtimex=(159, bytes(208)),
        clock_adjtime=(305, 0, bytes(208)),
    )


@act("host name", "changing the name of the machine")
def host_name(facts: Facts) -> str | None:
    return refused(sethostname=(170, b"proctor", 7), setdomainname=(171, b"proctor", 7))


@act("kernel log", "reading and clearing the kernel's messages")
def kernel_log(facts: Facts) -> str | None:
    try:
        os.close(os.open("/proc/kmsg", os.O_RDONLY | os.O_NONBLOCK))
    except OSError:
        return refused(size=(103, 10, None, 0), read=(103, 3, ctypes.create_string_buffer(64).raw, 64))
    return "opened /proc/kmsg"


@act("ports of the processor", "reaching devices through the processor's ports and descriptor tables")
def ports(facts: Facts) -> str | None:
    return refused(iopl=(172, 3), ioperm=(173, 0x80, 1, 1), modify_ldt=(154, 0, bytes(16), 16))


@act("files by handle", "opening files of the host's file systems by their number")
def handles(facts: Facts) -> str | None:
    return refused(
        open_by_handle_at=(304, _HERE, struct.pack("=Ii", 8, 1) + bytes(8), 0),
        name_to_handle_at=(303, _HERE, b"/", bytes(136), bytes(8), 0),
        fanotify_init=(300, 0x200, 0),
        lookup_dcookie=(212, 0, bytes(8), 8),
    )


@act("personality", "switching off address randomization and other ways of the kernel")
def personality(facts: Facts) -> str | None:
    return refused(no_randomize=(135, 0x0040000), read_implies_exec=(135, 0x0400000))


@act("processes of other nodes", "moving other processes' memory between memory nodes")
def nodes(facts: Facts) -> str | None:
    return refused(
        migrate_pages=(256, os.getpid(), 0, None, None),
        move_pages=(279, os.getpid(), 0, None, None, None, 0),
    )


@act("terminal hang-up", "hanging up a terminal")
def hang_up(facts: Facts) -> str | None:
    return refused(vhangup=(153,))


@act("x32 calls", "calls by the numbers of the x32 kernel interface")
def x32(facts: Facts) -> str | None:
    return refused(getpid=(0x40000000 + 39,))


def _by_32_bit(number: int, first: int, second: int) -> int:
    """A call by `int 0x80`: its result, a negative errno if it failed."""
    code = b"\x53\xb8" + struct.pack("=I", number)  # push rbx; mov eax, number
    code += b"\xbb" + struct.pack("=I", first) + b"\xb9" + struct.pack("=I", second)  # mov ebx; mov ecx
    code += b"\x31\xd2\xcd\x80\x5b\x48\x98\xc3"  # xor edx, edx; int 0x80; pop rbx; cdqe; ret
    memory = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(code)
    place = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    return int(ctypes.CFUNCTYPE(ctypes.c_long)(place)())


@act("32-bit calls", "calls by the 32-bit numbers, which a filter for 64-bit numbers would misread")
def calls_32(facts: Facts) -> str | None:
    child = os.fork()
    if child == 0:
        os._exit(1 if _by_32_bit(20, 0, 0) == os.getpid() else 0)
    status = os.waitpid(child, 0)[1]
    return "getpid was carried out" if status == 1 << 8 else None


@act("vsock by a 32-bit call", "AF_VSOCK through the 32-bit socket call")
def vsock_32(facts: Facts) -> str | None:
    child = os.fork()
    if child == 0:
        result = _by_32_bit(359, 40, 1)
        os._exit(0 if -result in (errno.EPERM, errno.ENOSYS) else 1)
    status = os.waitpid(child, 0)[1]  # killed by the filter, or by a kernel without such calls, is denied too
    return "socket was carried out" if status == 1 << 8 else None
