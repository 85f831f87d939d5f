"""Which system calls a job may not make, and their numbers on the two machines that we know.

Each entry is `name x86-64 aarch64`; `-` says that the machine has no such call.
"""

from __future__ import annotations

from dataclasses import dataclass

# No work of a training program, and each a way round the other layers or into the machine:
# other processes, mounts and namespaces, the kernel, the clock, keys, filters of packets.
_DENIED = """
ptrace 101 117
process_vm_readv 310 270
process_vm_writev 311 271
pidfd_getfd 438 438
pidfd_send_signal 424 424
mount 165 40
umount2 166 39
pivot_root 155 41
chroot 161 51
move_mount 429 429
open_tree 428 428
open_tree_attr 467 467
fsopen 430 430
fsconfig 431 431
fsmount 432 432
fspick 433 433
mount_setattr 442 442
open_by_handle_at 304 265
unshare 272 97
setns 308 268
kexec_load 246 104
kexec_file_load 320 294
init_module 175 105
finit_module 313 273
delete_module 176 106
reboot 169 142
swapon 167 224
swapoff 168 225
acct 163 89
quotactl 179 60
settimeofday 164 170
clock_settime 227 112
clock_adjtime 305 266
adjtimex 159 171
sethostname 170 161
setdomainname 171 162
syslog 103 116
iopl 172 -
ioperm 173 -
bpf 321 280
perf_event_open 298 241
userfaultfd 323 282
add_key 248 217
request_key 249 218
keyctl 250 219
"""

# Callers fall back when these are not there. `clone3` hides its flags from a filter, and what
# goes through an io_uring is seen by no filter at all.
_ABSENT = """
clone3 435 435
io_uring_setup 425 425
io_uring_enter 426 426
io_uring_register 427 427
"""

# Landlock does not cover rights, owners, times and attributes of files, and a filter cannot see
# which file is meant. Programs such as `shutil.copy` must go on, so these do nothing and say
# that all went well.
_PRETENDED = """
chmod 90 -
fchmod 91 52
fchmodat 268 53
fchmodat2 452 452
chown 92 -
fchown 93 55
lchown 94 -
fchownat 260 54
setxattr 188 5
lsetxattr 189 6
fsetxattr 190 7
setxattrat 463 463
removexattr 197 14
lremovexattr 198 15
fremovexattr 199 16
removexattrat 466 466
file_setattr 469 469
utime 132 -
utimes 235 -
futimesat 261 -
utimensat 280 88
setpriority 141 140
"""


@dataclass(frozen=True)
class Machine:
    """What a filter has to know of a processor family."""

    audit: int
    denied: tuple[int, ...]
    absent: tuple[int, ...]
    pretended: tuple[int, ...]
    socket: int
    clone: int
    prlimit: int
    # The calls that make a process, beside `clone`, and the call that installs a filter.
    forks: tuple[int, ...]
    seccomp: int
    # The calls that send a signal to the process, thread or group their first argument names.
    signals: tuple[int, ...]
    # Numbers from here on are another set of calls on the same processor (x32); 0: there is none.
    foreign: int


def _column(table: str, column: int) -> tuple[int, ...]:
    rows = (line.split() for line in table.split("\n") if line)
    return tuple(int(row[column]) for row in rows if row[column] != "-")


MACHINES = {
    "x86_64": Machine(
        audit=0xC000003E,
        denied=_column(_DENIED, 1),
        absent=_column(_ABSENT, 1),
        pretended=_column(_PRETENDED, 1),
        socket=41,
        clone=56,
        prlimit=302,
        forks=(57, 58),
        seccomp=317,
        signals=(62, 200, 234, 129, 297),
        foreign=0x40000000,
    ),
    "aarch64": Machine(
        audit=0xC00000B7,
        denied=_column(_DENIED, 2),
        absent=_column(_ABSENT, 2),
        pretended=_column(_PRETENDED, 2),
        socket=198,
        clone=220,
        prlimit=261,
        forks=(),
        seccomp=277,
        signals=(129, 130, 131, 138, 240),
        foreign=0,
    ),
}
