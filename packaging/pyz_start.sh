#!/bin/sh
# This is secboot: a script that finds a Python of version 3.11 or later, and after it a zip archive
# of modules, which that Python runs. It is /usr/bin/python3 if that is new enough, otherwise the
# newest in /usr/bin, otherwise one in PATH. No process is started to find out, except for PATH.
# -I and -S: neither PYTHONPATH and similar variables nor installed modules change what runs.
python=
for minor in 11 12 13 14 15 16; do
    if [ -x "/usr/bin/python3.$minor" ]; then
        python=/usr/bin/python3.$minor
        if [ /usr/bin/python3 -ef "$python" ]; then break; fi
    fi
done
if [ -z "$python" ]; then
    for name in python3 python3.16 python3.15 python3.14 python3.13 python3.12 python3.11; do
        if "$name" -IS -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            python=$name
            break
        fi
    done
fi
if [ -z "$python" ]; then
    if [ -r /etc/os-release ]; then . /etc/os-release; fi
    case " ${ID-} ${ID_LIKE-} ${VERSION_ID-}" in
    *" rhel "*" 8"* | *" rhel "*" 9"*) how="dnf install python3.12" ;;
    *" fedora "*) how="dnf install python3" ;;
    *suse*" 15"*) how="zypper install python311" ;;
    *suse*) how="zypper install python3" ;;
    *" ubuntu "*" 22.04") how="apt install python3.11" ;;
    *" debian "*) how="apt install python3" ;;
    *" alpine "*) how="apk add python3" ;;
    *) how="install python3.11 or later; it need not be the default" ;;
    esac
    printf 'secboot: error: Python 3.11 or later not found in /usr/bin or PATH\n  %s\n' "$how" >&2
    exit 1
fi
exec "$python" -IS "$0" "$@"
