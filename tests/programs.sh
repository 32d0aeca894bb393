#!/bin/sh
# Programs that tests need beside Python: found, or installed where that may be (root on Debian), or told of.
# Exit code 1 says that some are missing; the tests that need them are then skipped with a reason.

missing() {
    command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || echo postgresql
    command -v mbpoll >/dev/null || echo mbpoll
    command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null ||
        echo chromium
    command -v pdftotext >/dev/null || echo poppler-utils
    command -v isql >/dev/null && ls /usr/lib/*/odbc/libsqlite3odbc.so >/dev/null 2>&1 ||
        echo unixodbc libsqliteodbc
    command -v systemd-analyze >/dev/null || echo systemd
}

wanted=$(missing)
if [ -n "$wanted" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    for attempt in 1 2 3; do
        # shellcheck disable=SC2086
        apt-get install --quiet=2 --yes --no-install-recommends $wanted >/dev/null 2>&1 && break
        apt-get update --quiet=2 >/dev/null 2>&1
    done
    wanted=$(missing)
fi
if [ -n "$wanted" ]; then
    echo "not on this machine, so that their tests are skipped:" $wanted
    exit 1
fi
