"""Load and attach BPF programs from a spec, with bpf(2) alone.

No libbpf, libelf or compiler is needed: maps are created, instructions are relocated
against the kernel's BTF, and programs are loaded and attached. The design excludes
global variables, calls between functions, kfuncs and bit fields.
"""

import ctypes
import errno
import os
import struct
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from wattribute.core.errors import ActivityAbsent, ActivityError
from wattribute.node.activity.bpf import maps, syscall
from wattribute.node.activity.bpf.btf import Btf, Kind
from wattribute.node.activity.bpf.permission import denied, prepare, require_kernel
from wattribute.node.activity.bpf.relocate import Relocator, kernel_types
from wattribute.node.activity.bpf.spec import ProgramSpec, Spec

_TRACING: Final = 26
_RAW_TRACEPOINT: Final = 17
"""enum bpf_prog_type."""
_TRACE_RAW_TP: Final = 23
_TRACE_ITER: Final = 28
"""enum bpf_attach_type."""

_HOOKS: Final = {
    "tp_btf": (_TRACING, _TRACE_RAW_TP, "btf_trace_", Kind.TYPEDEF),
    "iter": (_TRACING, _TRACE_ITER, "bpf_iter_", Kind.FUNCTION),
    "raw_tp": (_RAW_TRACEPOINT, 0, "", None),
}
"""By section: program type, attach type, prefix and kind of the hook in the kernel's types."""

_LOG_SIZE: Final = 1 << 18
_INFO_SIZE: Final = 208
_RUN_TIME_AT: Final = 192
"""Size of struct bpf_prog_info up to run_cnt, and the offset of run_time_ns in it."""


class Programs:
    """The maps and programs of one spec, which stay in the kernel until ``close``."""

    def __init__(self, spec: Spec, sizes: Mapping[str, int], since: tuple[int, int]) -> None:
        """Create the maps, and relocate and load the programs; nothing runs before attach().

        Args:
            spec: Maps and programs to load.
            sizes: max_entries of maps that differ from the spec.
            since: The oldest kernel on which the spec works; (5, 8) is Linux 5.8.

        Raises:
            ActivityAbsent: the kernel is too old, has no BTF, lacks a field, or its verifier
                rejects a program.
            ActivityDenied: this process lacks a capability, which the error names.
        """
        require_kernel(since)
        prepare()
        self.maps = {
            name: replace(m, max_entries=sizes.get(name, m.max_entries))
            for name, m in spec.maps.items()
        }
        self._fds: list[int] = []
        self.fd: dict[str, int] = {}
        """Descriptors of maps and programs, by name."""
        self.link: dict[str, int] = {}
        """Descriptors of attached programs, by name."""
        try:
            self._create()
            types = kernel_types(spec.programs, [_hook_name(p) for p in spec.programs])
            relocator = Relocator(types)
            for program in spec.programs:
                self._load(program, types, relocator, spec.license)
        except BaseException:
            self.close()
            raise
        self._programs = spec.programs

    def _create(self) -> None:
        for name, spec in self.maps.items():
            try:
                self._hold(name, maps.create(spec))
            except OSError as exc:
                raise _refused(f"create map {name}", exc) from exc

    def _hold(self, name: str, fd: int) -> None:
        self._fds.append(fd)
        self.fd[name] = fd

    def _load(self, program: ProgramSpec, types: Btf, relocator: Relocator, license_: str) -> None:
        kind, attach_type, _, hook_kind = _HOOKS[program.section.split("/")[0]]
        hook = 0
        if hook_kind is not None:
            hook = types.find(_hook_name(program), hook_kind) or 0
            if not hook:
                raise ActivityAbsent(
                    f"eBPF: cannot load {program.section}: this kernel has no such hook"
                )
        code = relocator.relocate(program, self.fd)
        try:
            self._hold(program.name, _load(code, program.name, license_, kind, attach_type, hook))
        except _Refused as exc:
            lacks = relocator.missing(program)
            raise _refused(
                f"load {program.name} ({program.section})", exc,
                f"this kernel has no {', '.join(lacks)}" if lacks else exc.log,
            ) from exc  # fmt: skip

    def attach(self) -> None:
        """Attach programs to their hooks; an iterator gets the link through which it is read.

        Raises:
            ActivityAbsent: this kernel cannot attach a program.
            ActivityDenied: this process lacks a permission.
        """
        for program in self._programs:
            self._attach(program)

    def _attach(self, program: ProgramSpec) -> None:
        fd = self.fd[program.name]
        try:
            if _is(program, "tp_btf"):
                attr = struct.pack("<QII", 0, fd, 0)
                link = syscall.bpf(syscall.RAW_TRACEPOINT_OPEN, bytearray(attr))
            elif _is(program, "iter"):
                attr = struct.pack("<IIIIQII", fd, 0, _TRACE_ITER, 0, 0, 0, 0)
                link = syscall.bpf(syscall.LINK_CREATE, bytearray(attr))
            else:
                return
        except OSError as exc:
            raise _refused(f"attach {program.name} ({program.section})", exc) from exc
        self._fds.append(link)
        self.link[program.name] = link

    def run_ns(self) -> int | None:
        """Return the ns spent in the programs; None if kernel.bpf_stats_enabled was never on.

        Iterators are not included, because they run inside our own read(2).
        """
        total, runs = 0, 0
        for fd in (self.fd[p.name] for p in self._programs if not _is(p, "iter")):
            info = ctypes.create_string_buffer(_INFO_SIZE)
            attr = struct.pack("<IIQ", fd, _INFO_SIZE, ctypes.addressof(info))
            syscall.bpf(syscall.OBJ_GET_INFO_BY_FD, bytearray(attr))
            run_time_ns, count = struct.unpack_from("<QQ", info, _RUN_TIME_AT)
            total, runs = total + run_time_ns, runs + count
        return total if runs else None

    def close(self) -> None:
        """Detach and unload the programs, and free the maps."""
        maps.close(self._fds)
        self.fd.clear()
        self.link.clear()


class _Refused(OSError):  # noqa: N818 - named for the state
    """The kernel refused a program; ``log`` has the last lines of the verifier's log."""

    log = ""


def _load(  # noqa: PLR0917 - the fields of one system call
    code: bytearray, name: str, license_: str, kind: int, attach_type: int, hook: int
) -> int:
    """Load a program and return its descriptor; on failure, try again for the verifier's log."""
    text = ctypes.create_string_buffer(license_.encode())
    instructions = (ctypes.c_char * len(code)).from_buffer(code)

    def attr(log: int) -> bytearray:
        return bytearray(struct.pack(
            "<IIQQIIQII16s4IQIIQ4I", kind, len(code) // 8, ctypes.addressof(instructions),
            ctypes.addressof(text), 1 if log else 0, _LOG_SIZE if log else 0, log, 0, 0,
            name.encode()[:15], 0, attach_type, 0, 0, 0, 0, 0, 0, 0, hook, 0, 0,
        ))  # fmt: skip

    try:
        return syscall.bpf(syscall.PROG_LOAD, attr(0))
    except OSError as first:
        log = ctypes.create_string_buffer(_LOG_SIZE)
        try:
            return syscall.bpf(syscall.PROG_LOAD, attr(ctypes.addressof(log)))
        except OSError:
            refused = _Refused(first.errno, os.strerror(first.errno or 0))
            lines = log.value.decode(errors="replace").strip().splitlines()
            messages = [line for line in lines if not line.startswith(("processed ", ";"))]
            refused.log = " | ".join(messages[-3:])
            raise refused from None


def _refused(step: str, exc: OSError, why: str = "") -> ActivityError:
    if exc.errno in (errno.EPERM, errno.EACCES) and not why:
        return denied(step, exc)
    if exc.errno == errno.ENOSYS:
        return ActivityAbsent("eBPF: this kernel was built without bpf(2)")
    return ActivityAbsent(f"eBPF: cannot {step}: {exc.strerror}{f': {why}' if why else ''}")


def _is(program: ProgramSpec, hook: str) -> bool:
    return program.section.startswith(hook + "/")


def _hook_name(program: ProgramSpec) -> str:
    section, name = program.section.split("/", 1)
    return _HOOKS[section][2] + name
