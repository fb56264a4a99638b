"""Downloads and seeds one torrent until it is told to end.

session.py TORRENT FOLDER ADDRESS:PORT
"""

import signal
import sys
import time

import libtorrent

file, folder, listen = sys.argv[1:]
session = libtorrent.session({
    "listen_interfaces": listen,
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "enable_outgoing_utp": False,
    "enable_incoming_utp": False,
    "alert_mask": libtorrent.alert.category_t.tracker_notification
    | libtorrent.alert.category_t.error_notification
    | libtorrent.alert.category_t.status_notification,
})
# Even where whoever started this has it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
torrent = session.add_torrent({"ti": libtorrent.torrent_info(file), "save_path": folder})


def report():
    session.wait_for_alert(200)
    alerts = session.pop_alerts()
    for alert in alerts:
        print(alert.what(), alert.message(), flush=True)
    return {alert.what() for alert in alerts}


try:
    while True:
        report()
except KeyboardInterrupt:
    # Says `stopped`, and waits until that has been answered.
    torrent.unset_flags(libtorrent.torrent_flags.auto_managed)
    torrent.pause()
    patience = time.monotonic() + 10
    while "tracker_reply" not in report() and time.monotonic() < patience:
        pass
