"""Real work for the validation tests, one mode per process. Waits for FOLDER/go, ends at FOLDER/stop."""
import os
import signal
import sys
import time

mode, folder, tag = sys.argv[1:4]
stop = os.path.join(folder, "stop")


def wait_for_go():
    while not os.path.exists(os.path.join(folder, "go")):
        time.sleep(0.005)


def spawn():
    """Runs /bin/true over and over, and leaves a long-lived process now and then; tells when each one ran."""
    longs = []
    with open(os.path.join(folder, tag), "w") as out:
        i = 0
        while not os.path.exists(stop):
            if i % 100 == 0:
                name = f"{tag}-long-{i}"
                command = ["sh", "-c", f": {name}; sleep 300; exit 0"]
                longs.append(os.posix_spawn("/bin/sh", command, os.environ, setpgroup=0))
                print("long", i, time.time_ns(), longs[-1], file=out, flush=True)
            before = time.time_ns()
            pid = os.posix_spawn("/bin/true", ["true", f"{tag}-{i}"], {})
            os.waitpid(pid, 0)
            print("short", i, before, time.time_ns(), file=out, flush=True)
            i += 1
            time.sleep(0.001)
    for pid in longs:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def files():
    """Creates and removes files as fast as one CPU can, until it is stopped; then tells how many."""
    cpu = int(sys.argv[4])
    os.sched_setaffinity(0, {cpu})
    wait_for_go()
    path = os.path.join(folder, f"{tag}-file")
    count = 0
    while not os.path.exists(stop):
        for _ in range(200):
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
            os.unlink(path)
            count += 1
        if os.path.exists(os.path.join(folder, "slow")):
            time.sleep(0.05)
    with open(os.path.join(folder, f"{tag}-count"), "w") as out:
        out.write(str(count))


{"spawn": spawn, "files": files}[mode]()
