#!/usr/bin/python3
"""One side of a libtorrent transfer over loopback.

    exchange.py make FILE TORRENT [TRACKER]
    exchange.py seed FILE TORRENT            prints "listening PORT", then serves until it is killed
    exchange.py fetch FOLDER TORRENT PORT    prints "SECONDS SECONDS_SYNCED CPU_SECONDS"
"""

import os
import sys
import time

import libtorrent as lt


def session(**more):
    """TCP on loopback and nothing else: no DHT, no local discovery, no uTP, no encryption. `more` are further settings."""
    return lt.session(
        {
            "listen_interfaces": "127.0.0.1:0",
            "enable_dht": False,
            "enable_lsd": False,
            "enable_upnp": False,
            "enable_natpmp": False,
            "enable_incoming_utp": False,
            "enable_outgoing_utp": False,
            "in_enc_policy": int(lt.enc_policy.disabled),
            "out_enc_policy": int(lt.enc_policy.disabled),
            "allow_multiple_connections_per_ip": True,
            "alert_mask": 0,
            **more,
        }
    )


def make(file, torrent, tracker=None):
    storage = lt.file_storage()
    lt.add_files(storage, file)
    made = lt.create_torrent(storage, flags=lt.create_torrent.v1_only)
    if tracker is not None:
        made.add_tracker(tracker)
        # Nobody else than the tracker is asked for peers.
        made.set_priv(True)
    lt.set_piece_hashes(made, os.path.dirname(file))
    with open(torrent, "wb") as out:
        out.write(lt.bencode(made.generate()))


def add(running, torrent, folder, flags):
    parameters = lt.add_torrent_params()
    parameters.ti = lt.torrent_info(torrent)
    parameters.save_path = folder
    parameters.flags = flags
    return running.add_torrent(parameters)


def seed(file, torrent):
    running = session()
    handle = add(running, torrent, os.path.dirname(file), lt.torrent_flags.seed_mode)
    while not handle.status().is_seeding or running.listen_port() == 0:
        time.sleep(0.02)
    print("listening", running.listen_port(), flush=True)
    while True:
        time.sleep(3600)


def fetch(folder, torrent, port):
    running = session()
    handle = add(running, torrent, folder, lt.torrent_flags.default_flags & ~lt.torrent_flags.auto_managed & ~lt.torrent_flags.paused)
    started = time.monotonic()
    handle.connect_peer(("127.0.0.1", int(port)))
    while not handle.status().is_seeding:
        time.sleep(0.01)
    took = time.monotonic() - started
    name = lt.torrent_info(torrent).files().file_path(0)
    with open(os.path.join(folder, name), "rb") as written:
        os.fsync(written.fileno())
    synced = time.monotonic() - started
    times = os.times()
    print(f"{took:.3f} {synced:.3f} {times.user + times.system:.2f}", flush=True)


if __name__ == "__main__":
    {"make": make, "seed": seed, "fetch": fetch}[sys.argv[1]](*sys.argv[2:])
