"""What somebody does who would rather not be seen; each mode ends 0. Usage: evasion.py MODE DIRECTORY"""
import ctypes
import os
import socket
import struct
import sys
import threading

libc = ctypes.CDLL(None, use_errno=True)
mode, d = sys.argv[1], os.fsencode(sys.argv[2])
AT_FDCWD = -100


def syscall(number, *arguments):
    result = libc.syscall(*[ctypes.c_long(a) if isinstance(a, int) else a for a in (number, *arguments)])
    if result < 0:
        sys.exit(f"system call {number}: {os.strerror(ctypes.get_errno())}")
    return result


def touch(path):
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))


def child(action):
    pid = os.fork()
    if pid == 0:
        try:
            action()
        finally:
            os._exit(9)
    os.waitpid(pid, 0)


def paths():
    os.mkdir(d + b"/real")
    os.symlink(d + b"/real", d + b"/link")
    touch(d + b"/link/through-link")
    touch(d + b"/real/by-dirfd")
    folder = os.open(d + b"/link", os.O_DIRECTORY)
    os.unlink(b"by-dirfd", dir_fd=folder)
    os.chdir(d + b"/real")
    touch(b"../real/dotted")
    os.unlink(b"../real/./dotted")
    touch(b"one")
    touch(b"two")
    syscall(316, AT_FDCWD, b"one", AT_FDCWD, b"two", 2)  # renameat2, RENAME_EXCHANGE
    unnamed = os.open(b".", os.O_TMPFILE | os.O_RDWR, 0o600)
    syscall(265, AT_FDCWD, b"/proc/self/fd/%d" % unnamed, AT_FDCWD, b"named-late", 0x400)
    how = struct.pack("QQQ", os.O_CREAT | os.O_WRONLY, 0o600, 0)
    syscall(437, folder, b"by-openat2", how, len(how))


def programs():
    with open("/bin/true", "rb") as file:
        content = file.read()
    memory = os.memfd_create("hidden")
    os.write(memory, content)
    no_environment = (ctypes.c_char_p * 1)(None)
    child(lambda: syscall(322, memory, b"", (ctypes.c_char_p * 2)(b"from-memory", None), no_environment, 0x1000))
    with open(d + b"/copy", "wb") as file:
        file.write(content)
    os.chmod(d + b"/copy", 0o755)
    copy = os.open(d + b"/copy", os.O_RDONLY)
    child(lambda: os.execv("/proc/self/fd/%d" % copy, ["by-descriptor"]))
    os.unlink(d + b"/copy")
    child(lambda: os.execv("/proc/self/fd/%d" % copy, ["after-unlink"]))
    for name, line in ((b"/inner", b"#!/bin/sh\n"), (b"/outer", b"#!" + d + b"/inner option\n")):
        with open(d + name, "wb") as file:
            file.write(line)
        os.chmod(d + name, 0o755)
    child(lambda: os.execv(d + b"/outer", [b"outer", b"argument"]))
    child(lambda: threading.Thread(target=lambda: os.execv("/bin/true", ["from-thread"])).run())

    def from_thread():
        thread = threading.Thread(target=lambda: os.execv("/bin/true", ["from-other-thread"]))
        thread.start()
        thread.join()

    child(from_thread)
    child(lambda: (libc.prctl(15, b"kworker/0:1", 0, 0, 0), os.execv("/bin/true", ["renamed"])))


def jail():
    os.mkdir(d + b"/mount")
    if libc.unshare(0x20000) != 0:  # CLONE_NEWNS
        sys.exit("no mount namespace")
    libc.mount(None, b"/", None, 0x44000, None)  # private, recursively
    if libc.mount(b"tmpfs", d + b"/mount", b"tmpfs", 0, None) != 0:
        sys.exit("no tmpfs")
    os.chroot(d + b"/mount")
    os.chdir("/")
    touch(b"/inside")
    os.unlink(b"/inside")


def connections():
    with socket.socket() as refused:
        refused.connect_ex(("127.0.0.1", 1))
    with socket.socket() as waiting:
        waiting.setblocking(False)
        waiting.connect_ex(("127.0.0.1", 2))
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as datagram:
        datagram.sendto(b"x", ("::1", 9))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as question:
        name = b"\x04evil\x04test\x00"
        question.sendto(b"\x12\x34\x01\x00\x00\x01" + bytes(6) + name + b"\x00\x01\x00\x01", ("127.0.0.1", 53))


def views():
    os.mkdir(d + b"/real")
    os.mkdir(d + b"/bound")
    if libc.unshare(0x20000) != 0:  # CLONE_NEWNS
        sys.exit("no mount namespace")
    libc.mount(None, b"/", None, 0x44000, None)  # private, recursively
    if libc.mount(d + b"/real", d + b"/bound", None, 0x1000, None) != 0:  # MS_BIND
        sys.exit("no bind mount")
    touch(d + b"/bound/through-bind")
    for name in (b"lower", b"work", b"upper", b"merged"):
        os.mkdir(d + b"/" + name)
    touch(d + b"/lower/below")
    options = b"lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work" % (d, d, d)
    if libc.mount(b"overlay", d + b"/merged", b"overlay", 0, options) != 0:
        print("no overlay")
        return
    os.close(os.open(d + b"/merged/below", os.O_WRONLY | os.O_TRUNC))
    touch(d + b"/merged/new")
    os.unlink(d + b"/merged/below")


def user_namespace():
    if libc.unshare(0x10000000 | 0x20000) != 0:  # CLONE_NEWUSER, CLONE_NEWNS
        print("no user namespace")
        return
    child(lambda: os.execv("/bin/true", ["in-namespace"]))


def dns_over_tcp():
    name = b"\x04over\x03tcp\x04test\x00"
    message = b"\x12\x34\x01\x00\x00\x01" + bytes(6) + name + b"\x00\x10\x00\x01"
    with socket.socket() as server:
        server.bind(("127.3.2.1", 53))
        server.listen(2)
        for parts in ((struct.pack(">H", len(message)) + message,), (struct.pack(">H", len(message)), message)):
            with socket.create_connection(("127.3.2.1", 53)) as client:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                accepted, _ = server.accept()
                for part in parts:
                    client.sendall(part)
                accepted.close()


globals()[mode]()
