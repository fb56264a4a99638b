#!/usr/bin/python3
"""One slow libtorrent seeder and a crowd of libtorrent clients with limited uplinks over loopback.

    crowd.py FILE TORRENT FOLDER CLIENTS SEEDER_UP UP     rates in bytes per second

Each is a session of its own; all know each other from the start. Prints "SECONDS MEDIAN_SECONDS SEEDER_BYTES CPU_SECONDS",
the time of the last and of the middle client.
"""

import os
import statistics
import sys
import time

import libtorrent as lt

from exchange import add, session


def limited(up):
    """A session with a limit that counts on loopback, too."""
    made = session(rate_limit_ip_overhead=False, upload_rate_limit=up)
    # Without this, peers on the same machine count as local and have no limit.
    everybody = lt.ip_filter()
    everybody.add_rule("0.0.0.0", "255.255.255.255", 1 << int(lt.session.global_peer_class_id))
    made.set_peer_class_filter(everybody)
    return made


def port_of(running):
    while running.listen_port() == 0:
        time.sleep(0.01)
    return running.listen_port()


def main(file, torrent, folder, clients, seeder_up, up):
    seeder = limited(int(seeder_up))
    seeding = add(seeder, torrent, os.path.dirname(file), lt.torrent_flags.seed_mode)
    sessions = [limited(int(up)) for _ in range(int(clients))]
    ports = [port_of(running) for running in sessions]
    seeder_port = port_of(seeder)
    plain = lt.torrent_flags.default_flags & ~lt.torrent_flags.auto_managed & ~lt.torrent_flags.paused
    handles = []
    for number, running in enumerate(sessions):
        into = os.path.join(folder, str(number))
        os.mkdir(into)
        handles.append(add(running, torrent, into, plain))
    started = time.monotonic()
    for number, handle in enumerate(handles):
        handle.connect_peer(("127.0.0.1", seeder_port))
        for other in range(number):
            handle.connect_peer(("127.0.0.1", ports[other]))
    times = {}
    while len(times) < len(handles):
        for number, handle in enumerate(handles):
            if number not in times and handle.status().is_seeding:
                times[number] = time.monotonic() - started
        time.sleep(0.1)
    used = os.times()
    seconds = list(times.values())
    sent = seeding.status().total_payload_upload
    print(f"{max(seconds):.2f} {statistics.median(seconds):.2f} {sent} {used.user + used.system:.1f}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
